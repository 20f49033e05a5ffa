"""The web application as an ASGI callable."""

import os
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

# WhiteNoise hands out files block by block; Django reads them in a thread, which is what we want, and remarks on it.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")

application = get_asgi_application()
