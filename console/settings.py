"""Every setting of every process, read from the environment (or `.env`); docs/configuration.md lists them.

Any NAME may be given as NAME_FILE, the path of a file that holds the value, so that secrets need not stand in
the environment. Mistakes are reported by the system checks in console/checks.py, with stable ids.
"""

import tempfile
from pathlib import Path

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.FileAwareEnv()
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")

# Who we are -------------------------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
ENVIRONMENT_NAME = env.str("ENVIRONMENT_NAME", default="")
GATEWAY_URL = env.str("GATEWAY_URL", default="http://localhost:8001")
GATEWAY_INTERNAL_URL = env.str("GATEWAY_INTERNAL_URL", default="") or GATEWAY_URL
CONSOLE_URL = env.str("CONSOLE_URL", default="http://localhost:8000")
# Inner networks that webhooks may go to, such as 10.20.0.0/16.
WEBHOOK_NETWORKS = env.list("WEBHOOK_NETWORKS", default=[])
SANDBOX_KUBECONFIG = env.str("SLIPWAY_SANDBOX_KUBECONFIG", default="")

INSTALLED_APPS = [
    "console.apps.ConsoleConfig",
    "deployments",
    "metering",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    "lucide",
    "template_partials",
    "whitenoise.runserver_nostatic",
    "console.apps.RecordsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.forms",
]

MIDDLEWARE = [
    "console.origin.identified",
    # What protects an answer comes first, so that no answer is made outside of it.
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "console.http.kept_by_nobody",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "console.audit.middleware.of_requests",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "console.http.bounded_input",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "console.sessions.limits",
    "django.contrib.messages.middleware.MessageMiddleware",
    "console.second_factor.policy.demanded",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "console.urls"
ASGI_APPLICATION = "console.asgi.application"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.shell.shell",
            ],
        },
    },
]

# Where things are kept --------------------------------------------------------------------------------------------

DATABASES = {
    "default": {
        **env.db("DATABASE_URL", default="postgres://slipway@localhost/slipway"),
        "ENGINE": "django.db.backends.postgresql",
        "CONN_HEALTH_CHECKS": True,
    }
}
_database_options = DATABASES["default"].setdefault("OPTIONS", {})
_database_options.setdefault(
    "options", "-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
)
# Without these, a server that is gone without a word is waited for until TCP gives up, which takes up to two hours.
for _name, _value in {
    "connect_timeout": 5,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}.items():
    _database_options.setdefault(_name, _value)
if env.bool("DATABASE_POOL", default=True):
    _database_options["pool"] = {
        "min_size": 1,
        "max_size": env.int("DATABASE_POOL_SIZE", default=10),
        "timeout": 10,
    }

REDIS_URL = env.str("REDIS_URL", default="redis://localhost:6379/0")

# Sign-in throttling must hold when Valkey is away or flushed, so the cache is a table beside the users.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "console_cache"}}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# People -----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "console.User"
AUTHENTICATION_BACKENDS = ["console.sign_in.ConsoleAuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "console.passwords.NoWordOfOurs"},
    {"NAME": "console.passwords.NotEndless"},
]
CHECK_BREACHED_PASSWORDS = env.bool("CHECK_BREACHED_PASSWORDS", default=False)
if CHECK_BREACHED_PASSWORDS:
    AUTH_PASSWORD_VALIDATORS.append({"NAME": "console.passwords.NotBreached"})
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "console.sign_in.ConsoleAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_RATE_LIMITS = {"login": "60/m/ip", "login_failed": "20/m/ip,5/5m/key"}

ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
# That of allauth writes a row while somebody only looks at the page of a link.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105

# One provider, whose groups may say who does what here; console/single_sign_on/ reads these.
OIDC_ISSUER = env.str("OIDC_ISSUER", default="")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", default="")
OIDC_NAME = env.str("OIDC_NAME", default="single sign-on")
OIDC_SCOPES = env.list("OIDC_SCOPES", default=["openid", "profile", "email"])
OIDC_GROUPS_CLAIM = env.str("OIDC_GROUPS_CLAIM", default="groups")
OIDC_ROLE_MAP = env.str("OIDC_ROLE_MAP", default="")
OIDC_ONLY = env.bool("OIDC_ONLY", default=False)
SOCIALACCOUNT_ADAPTER = "console.single_sign_on.arrivals.ConsoleSocialAccountAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10

MFA_REQUIRED_FOR = env.str("MFA_REQUIRED_FOR", default="none")
MFA_ADAPTER = "console.second_factor.adapter.ConsoleMFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "add_webauthn": "console.second_factor.passkey_forms.AddPasskeyForm",
    "authenticate_webauthn": "console.second_factor.passkey_forms.AuthenticatePasskeyForm",
    "login_webauthn": "console.second_factor.passkey_forms.LoginPasskeyForm",
    "reauthenticate_webauthn": "console.second_factor.passkey_forms.ReauthenticatePasskeyForm",
}
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ALLOW_UNVERIFIED_EMAIL = True

SESSION_MAX_SECONDS = env.int("SESSION_MAX_SECONDS", default=7 * 24 * 3600)
SESSION_IDLE_SECONDS = env.int("SESSION_IDLE_SECONDS", default=8 * 3600)
SESSION_COOKIE_AGE = SESSION_MAX_SECONDS

# How long the audit keeps entries, in whole days; 0: for ever.
AUDIT_RETENTION_DAYS = env.int("AUDIT_RETENTION_DAYS", default=400)

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# What a browser may do --------------------------------------------------------------------------------------------

# HTTPS is the rule; `make up` on loopback turns it off.
SECURE = env.bool("SECURE", default=not DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "csrf"
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
# Whom sign-in throttles: without it, everybody behind one proxy would share one limit.
ALLAUTH_TRUSTED_PROXY_COUNT = int(BEHIND_PROXY)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 5

# Files and words --------------------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not STATIC_ROOT.is_dir() or DEBUG
WHITENOISE_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if WHITENOISE_USE_FINDERS
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
# Without it, a mail server that says nothing would hold a worker for ever.
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="slipway@localhost")

# Work in the background -------------------------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 100
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=4)
CELERY_WORKER_MAX_TASKS_PER_CHILD = 5000
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 180,
    "socket_connect_timeout": 2,
    "socket_timeout": 10,
    # kombu sweeps lost messages every 100 s by default, whatever the timeout; the due column makes this a comfort only.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
}
# Messages only carry ids and hints. A tick that nobody took within its period is worth nothing.
CELERY_BEAT_SCHEDULE = {
    "heartbeat": {"task": "console.tasks.heartbeat", "schedule": 5.0, "options": {"expires": 5}},
    "sweep-sessions": {
        "task": "console.tasks.sweep_sessions",
        "schedule": crontab(hour="3", minute="17"),
        "options": {"expires": 3600},
    },
    "reconcile-due": {"task": "deployments.tasks.reconcile_due", "schedule": 5.0, "options": {"expires": 5}},
    # By the clock: every 60 s from any moment on drifts, and would leave a minute out now and then.
    "read-engine-metrics": {
        "task": "metering.tasks.read_engine_metrics",
        "schedule": crontab(),
        "options": {"expires": 60},
    },
    # A few minutes past the hour, when its last requests are over. Late ones are packed the next time.
    "close-hours": {
        "task": "metering.tasks.close_hours",
        "schedule": crontab(minute="5"),
        "options": {"expires": 3000},
    },
    # When the last look of the hour before is over. What is late is done the next time.
    "close-engine-hours": {
        "task": "metering.tasks.close_engine_hours",
        "schedule": crontab(minute="3"),
        "options": {"expires": 3000},
    },
    "forget-old-calls": {
        "task": "console.tasks.forget_old_calls",
        "schedule": crontab(minute="41"),
        "options": {"expires": 3000},
    },
    "count-gpus": {"task": "metering.tasks.count_gpus", "schedule": crontab(), "options": {"expires": 60}},
    # Late enough for the requests of the hour before to have ended.
    "close-gpu-hours": {
        "task": "metering.tasks.close_gpu_hours",
        "schedule": crontab(minute="8"),
        "options": {"expires": 3000},
    },
    "refresh-fleet": {
        "task": "metering.tasks.refresh_fleet",
        "schedule": crontab(),
        "options": {"expires": 60},
    },
    # At night, one after the other: first what is too old goes, then what is left is verified.
    "prune-audit": {
        "task": "console.tasks.prune_audit",
        "schedule": crontab(hour="2", minute="17"),
        "options": {"expires": 3600},
    },
    "verify-audit": {
        "task": "console.tasks.verify_audit",
        "schedule": crontab(hour="3", minute="17"),
        "options": {"expires": 3600},
    },
    "deliver-due": {"task": "console.tasks.deliver_due", "schedule": 5.0, "options": {"expires": 5}},
    "tell-of-limits": {"task": "metering.tasks.tell_of_limits", "schedule": 15.0, "options": {"expires": 15}},
    "tell-of-budgets": {
        "task": "metering.tasks.tell_of_budgets",
        "schedule": crontab(minute="*/3"),
        "options": {"expires": 180},
    },
    "forget-old-notices": {
        "task": "console.tasks.forget_old_notices",
        "schedule": crontab(minute="40", hour="3"),
        "options": {"expires": 3000},
    },
    "observe-due": {"task": "deployments.tasks.observe_due", "schedule": 2.0, "options": {"expires": 2}},
}
CELERY_BEAT_SCHEDULE_FILENAME = env.str(
    "BEAT_SCHEDULE_FILE", default=str(Path(tempfile.gettempdir(), "slipway-beat"))
)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{levelname} {name}{request_id}: {message}", "style": "{"}},
    # "Not ready yet" is what a probe asks for, every second or so: an answer, not an error.
    "filters": {
        "not_a_probe": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(getattr(record, "request", None), "path", "") != "/readyz",
        },
        "request_id": {"()": "console.origin.RequestId"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "plain",
            "filters": ["not_a_probe", "request_id"],
        }
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    # At DEBUG Django logs the whole context of a template for each variable that it lacks, with the secrets that a page
    # shows once; so never, whatever LOG_LEVEL says.
    "loggers": {
        "django.server": {"level": "WARNING"},
        "django.template": {"level": "INFO"},
        "httpx": {"level": "WARNING"},
    },
}
