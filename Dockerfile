# The Python of the tests: another one may resolve the requirements to other versions.
FROM python:3.11-slim-bookworm AS build
RUN python -m venv /venv
COPY requirements/base.txt /tmp/base.txt
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/base.txt

FROM python:3.11-slim-bookworm
# The same list as in bin/setup.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz0b libharfbuzz-subset0 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 entsvc \
    && install --directory --owner entsvc --group entsvc /data/media
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DEBUG=0 MEDIA_ROOT=/data/media
# Settings demand these three; none of them stays in the image.
RUN SECRET_KEY=build ALLOWED_HOSTS=build DATABASE_URL=sqlite://:memory: \
    python manage.py collectstatic --noinput
USER entsvc
EXPOSE 8000
# A port that accepts: a request would need a host name and HTTPS.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import socket; socket.create_connection(('127.0.0.1', 8000), 3)"]
# The access log leaves out the query and the referrer: a link of /espace/ holds its token there.
CMD ["gunicorn", "entsvc.wsgi", "--bind=0.0.0.0:8000", "--workers=3", "--timeout=120", "--worker-tmp-dir=/dev/shm", "--no-control-socket", "--access-logfile=-", "--access-logformat=%(h)s %(t)s \"%(m)s %(U)s\" %(s)s %(B)s %(M)sms"]
