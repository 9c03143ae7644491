"""The one settings module: embedded by default, loud when production lacks something."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy

from entsvc import logs

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()


@contextmanager
def _address(name: str) -> Iterator[None]:
    """Say which address can't be read; not what is wrong in it, which may be a part of a password."""
    try:
        yield
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} ne se lit pas comme une adresse : dans un mot de passe, « / » s'écrit %2F, "
            "« # » %23, « ? » %3F."
        ) from None


DEBUG = env.bool("DEBUG", default=True)

if not DEBUG:
    missing = [
        name for name in ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL") if not env(name, default="")
    ]
    if missing:
        raise ImproperlyConfigured(
            f"DEBUG=0 exige aussi {', '.join(missing)} : donnez ces variables d'environnement."
        )

SECRET_KEY = env("SECRET_KEY", default="cle-de-developpement-sans-valeur-jamais-en-production")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

_HOST = next((host for host in ALLOWED_HOSTS if host[:1] not in ("*", ".")), "127.0.0.1")
# Where the links of mails lead; no request is there to tell.
SITE_URL = env("SITE_URL", default="http://127.0.0.1:8000" if DEBUG else f"https://{_HOST}").rstrip("/")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "simple_history",
    "entsvc",
    "members",
    "tariffs",
    "conventions",
    "invoicing",
]

# Long work. "immediate": done by threads of the web server; "database": left to `db_worker`.
_TASKS = {
    "immediate": "django_tasks.backends.immediate.ImmediateBackend",
    "database": "django_tasks_db.DatabaseBackend",
}
TASKS_BACKEND = env("TASKS_BACKEND", default="immediate")
if TASKS_BACKEND not in _TASKS:
    raise ImproperlyConfigured(f"TASKS_BACKEND vaut {' ou '.join(_TASKS)}, pas « {TASKS_BACKEND} ».")
TASKS = {"default": {"BACKEND": _TASKS[TASKS_BACKEND]}}
if TASKS_BACKEND == "database":
    INSTALLED_APPS.append("django_tasks_db")

MIDDLEWARE = [
    # Before what looks at the host name and asks for HTTPS: a probe has neither.
    "entsvc.health.HealthChecks",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "members.portal.headers.PortalHeaders",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]

ROOT_URLCONF = "entsvc.urls"
WSGI_APPLICATION = "entsvc.wsgi.application"

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
            ],
        },
    },
]

with _address("DATABASE_URL"):
    DATABASES = {
        "default": env.db("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'var' / 'entsvc.sqlite3'}")
    }
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    Path(DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # recursive_triggers: without it INSERT OR REPLACE deletes a row past the triggers.
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON;"
        ),
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # Seconds, then milliseconds: a server that no longer answers is an error, not an endless wait.
    options = DATABASES["default"].setdefault("OPTIONS", {})
    options.setdefault("connect_timeout", 5)
    options.setdefault("tcp_user_timeout", 10_000)
    # Compiling a query of many parts takes seconds, its answer tens of milliseconds.
    options.setdefault("options", "-c jit=off")

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "members.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# The folder of the schemas of the PES v2 (docs/canaux.md); without it only our own rules are run.
PES_XSD_DIR = env("PES_XSD_DIR", default="")

# Chorus Pro by its API (docs/canaux.md), only when its addresses and an application of PISTE are given.
# The technical account of each issuer is CHORUS_LOGIN_<code> and CHORUS_PASSWORD_<code>.
CHORUS_OAUTH_URL = env("CHORUS_OAUTH_URL", default="")
CHORUS_API_URL = env("CHORUS_API_URL", default="").rstrip("/")
CHORUS_CLIENT_ID = env("CHORUS_CLIENT_ID", default="")
CHORUS_CLIENT_SECRET = env("CHORUS_CLIENT_SECRET", default="")
CHORUS_LOGINS, CHORUS_PASSWORDS = (
    {name.removeprefix(start): value for name, value in env.ENVIRON.items() if name.startswith(start)}
    for start in ("CHORUS_LOGIN_", "CHORUS_PASSWORD_")
)
# How long a deposit that nobody answered may still show up before it is said not to have arrived.
CHORUS_SETTLE_HOURS = env.int("CHORUS_SETTLE_HOURS", default=24)
_CHORUS = {
    "CHORUS_OAUTH_URL": CHORUS_OAUTH_URL,
    "CHORUS_API_URL": CHORUS_API_URL,
    "CHORUS_CLIENT_ID": CHORUS_CLIENT_ID,
    "CHORUS_CLIENT_SECRET": CHORUS_CLIENT_SECRET,
}
if any(_CHORUS.values()):
    missing = [name for name, value in _CHORUS.items() if not value]
    if missing:
        raise ImproperlyConfigured(f"Chorus Pro exige aussi {', '.join(missing)}.")
    for name in ("CHORUS_OAUTH_URL", "CHORUS_API_URL"):
        url = urlsplit(_CHORUS[name])
        if url.scheme != "https" and (url.scheme, url.hostname) != ("http", "127.0.0.1"):
            raise ImproperlyConfigured(
                f"{name} commence par https:// : un secret ne passe pas en clair, sauf vers 127.0.0.1."
            )

# The largest PDF that someone may send, in megabytes.
LARGEST_SCAN_MB = env.int("LARGEST_SCAN_MB", default=20)

LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")
CSRF_FAILURE_VIEW = "members.portal.errors.csrf_failure"

# The mayor's pages (docs/espace.md). Times in seconds.
SESAME_TOKENS = ["sesame.tokens_v2"]
SESAME_ONE_TIME = True
SESAME_MAX_AGE = 15 * 60
ESPACE_IDLE = 3600
ESPACE_SESSION = 8 * 3600
ESPACE_WINDOW = SESAME_MAX_AGE  # while a link lives, whoever asks for too many still has some
ESPACE_LINKS_PER_ADDRESS = env.int("ESPACE_LINKS_PER_ADDRESS", default=5)
ESPACE_LINKS_PER_NETWORK = env.int("ESPACE_LINKS_PER_NETWORK", default=20)
# How many proxies of ours add to X-Forwarded-For; production is behind one, which brings HTTPS.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0 if DEBUG else 1)

# OpenID Connect for the mayor's pages, only when a client is given; never for the staff.
OIDC_RP_CLIENT_ID = env("OIDC_CLIENT_ID", default="")
OIDC_RP_CLIENT_SECRET = env("OIDC_CLIENT_SECRET", default="")
OIDC_ISSUER = env("OIDC_ISSUER", default="")
OIDC_OP_AUTHORIZATION_ENDPOINT = env("OIDC_AUTHORIZATION_ENDPOINT", default="")
OIDC_OP_TOKEN_ENDPOINT = env("OIDC_TOKEN_ENDPOINT", default="")
OIDC_OP_USER_ENDPOINT = env("OIDC_USERINFO_ENDPOINT", default="")
OIDC_OP_JWKS_ENDPOINT = env("OIDC_JWKS_ENDPOINT", default="")
OIDC_OP_LOGOUT_ENDPOINT = env("OIDC_LOGOUT_ENDPOINT", default="")
OIDC_LABEL = env("OIDC_LABEL", default="ProConnect")
OIDC_ACR_VALUES = env("OIDC_ACR_VALUES", default="")
OIDC_RP_SCOPES = env("OIDC_SCOPES", default="openid email")
OIDC_RP_SIGN_ALGO = env("OIDC_SIGN_ALGO", default="RS256")
OIDC_EMAIL_TRUSTED = env.bool("OIDC_EMAIL_TRUSTED", default=False)
OIDC_AUTHENTICATION_CALLBACK_URL = "espace:provider-back"
OIDC_USE_PKCE = True
OIDC_STORE_ID_TOKEN = True
OIDC_CREATE_USER = True
OIDC_TIMEOUT = 10
if OIDC_RP_CLIENT_ID:
    missing = [
        f"OIDC_{name}"
        for name in (
            "CLIENT_SECRET",
            "ISSUER",
            "AUTHORIZATION_ENDPOINT",
            "TOKEN_ENDPOINT",
            "USERINFO_ENDPOINT",
            "JWKS_ENDPOINT",
        )
        if not env(f"OIDC_{name}", default="")
    ]
    if missing:
        raise ImproperlyConfigured(f"OIDC_CLIENT_ID exige aussi {', '.join(missing)}.")
    if not OIDC_RP_SIGN_ALGO.startswith(("RS", "ES")):
        raise ImproperlyConfigured("OIDC_SIGN_ALGO : RS256 ou ES256, une signature qui se vérifie.")

LANGUAGE_CODE = "fr"
TIME_ZONE = "Europe/Paris"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
MEDIA_ROOT = env.path("MEDIA_ROOT", default=str(BASE_DIR / "var" / "media")).root
STORAGES = {
    "default": {"BACKEND": "entsvc.documents.DurableFileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

with _address("EMAIL_URL"):
    EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default=f"ENT <ne-pas-repondre@{_HOST}>")
# Where what waits for the end of a response is done: « thread », or « inline » for tests.
AFTER_RESPONSE = "thread"

# On the error output: « json », one object per line, or « text ».
LOG_FORMAT = env("LOG_FORMAT", default="text" if DEBUG else "json")
if LOG_FORMAT not in logs.FORMATS:
    raise ImproperlyConfigured(f"LOG_FORMAT vaut {' ou '.join(logs.FORMATS)}, pas « {LOG_FORMAT} ».")
LOGGING = logs.configuration(LOG_FORMAT)

if not DEBUG:
    MIDDLEWARE.insert(1, "entsvc.request_log.RequestLog")
    MIDDLEWARE.insert(3, "whitenoise.middleware.WhiteNoiseMiddleware")
    SECURE_SSL_REDIRECT = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True

UNFOLD = {
    "SITE_TITLE": "entsvc",
    "SITE_HEADER": "entsvc",
    "SITE_SUBHEADER": "Facturation de l'ENT",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("espace/icone.svg"),
        },
    ],
    "STYLES": [lambda request: static("entsvc/staff.css")],
    "SCRIPTS": [lambda request: static("entsvc/staff.js")],
    "SHOW_HISTORY": True,
    # The blue of the documents (#1d4468), from pale to deep.
    "COLORS": {
        "primary": {
            "50": "#f1f6fb",
            "100": "#dfebf6",
            "200": "#c0d8ec",
            "300": "#93bbdc",
            "400": "#5f97c6",
            "500": "#3c78ad",
            "600": "#2a5f92",
            "700": "#1d4468",
            "800": "#1a3b59",
            "900": "#19324a",
            "950": "#0f2031",
        },
    },
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "invoicing.home_page.dashboard",
    # Ctrl + K, from any page.
    "COMMAND": {"search_callback": "invoicing.home_page.commands"},
    "SIDEBAR": {
        "show_search": True,
        "navigation": "invoicing.navigation.sidebar",
    },
}
