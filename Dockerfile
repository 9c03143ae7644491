# The Debian and the Python of the tests: others may resolve the requirements differently.
FROM python:3.11-slim-bookworm AS build
RUN python -m venv /venv
# « validation » adds the engine of the rules of electronic invoices (docs/facturx.md).
ARG REQUIREMENTS=base
COPY requirements /tmp/requirements
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
    -r /tmp/requirements/${REQUIREMENTS}.txt
# Three programs of it go into the image; the package itself would bring Perl with them.
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client-15
# The image runs under an account of its own: it must read what was cloned under a strict umask.
COPY . /app
RUN chmod -R go+rX /app

FROM python:3.11-slim-bookworm
# The same list as in bin/setup, then what psql needs.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz0b libharfbuzz-subset0 \
        libpq5 libreadline8 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 entsvc \
    && install --directory --owner entsvc --group entsvc /data/media
COPY --from=build /venv /venv
# For bin/backup and bin/restore. Of the version of the server in docker-compose.yml, or a newer one.
COPY --from=build \
    /usr/lib/postgresql/15/bin/pg_dump /usr/lib/postgresql/15/bin/pg_restore /usr/lib/postgresql/15/bin/psql \
    /usr/local/bin/
WORKDIR /app
COPY --from=build /app .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DEBUG=0 MEDIA_ROOT=/data/media \
    WEB_CONCURRENCY=3
# Settings demand these three; none of them stays in the image.
RUN SECRET_KEY=build ALLOWED_HOSTS=build DATABASE_URL=sqlite://:memory: \
    python manage.py collectstatic --noinput \
    && pg_dump --version && pg_restore --version && psql --version
USER entsvc
EXPOSE 8000
# The process answers; /sante/prete/ also asks the database.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/sante/', timeout=4)"]
CMD ["gunicorn", "--config=python:entsvc.serving", "--bind=0.0.0.0:8000", "entsvc.wsgi"]
