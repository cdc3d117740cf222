"""Django's settings: one file, no variants; what differs between places comes from the environment."""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from yuheng.bus.tls import tls_files
from yuheng.config.environment import Environment
from yuheng.upkeep.certificates import TlsRefused, describe

ENVIRONMENT = Environment.read()
PACKAGE = Path(__file__).resolve().parent.parent


def _secret_key() -> str:
    """Return the installation's key, made on first use and kept readable by its owner only."""
    path = ENVIRONMENT.data_dir / "secret.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()


def _database(url: str) -> dict[str, object]:
    """Read ``postgresql://user:password@host:port/name``; a socket's directory goes into ``?host=``."""
    parts = urlsplit(url or "postgresql://postgres@127.0.0.1:5432/yuheng")
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "yuheng",
        "USER": unquote(parts.username or "") or query.get("user", ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.get("host") or unquote(parts.hostname or ""),
        "PORT": query.get("port") or str(parts.port or ""),
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 16, "timeout": 10}},
    }


def _certified_names() -> tuple[str, ...]:
    """Return the names our own certificate is for: under each of them somebody may ask for a page."""
    files = tls_files()
    if files is None:
        return ()
    try:
        return describe(files.certificate).names
    except TlsRefused:
        return ()


SECRET_KEY = _secret_key()
DEBUG = False
IS_DEMO = ENVIRONMENT.is_demo
ALLOWED_HOSTS = (
    ["*"]
    if ENVIRONMENT.web_host in {"0.0.0.0", "::"}
    else ["127.0.0.1", "localhost", "[::1]", ENVIRONMENT.web_host, f"[{ENVIRONMENT.web_host}]", *_certified_names()]
)

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "yuheng.kernel",
    "yuheng.people",
    "yuheng.equipment",
    "yuheng.engineering",
    "yuheng.telemetry",
    "yuheng.alarms",
    "yuheng.operations",
    "yuheng.operations.terminal",
    "yuheng.scheduling",
    "yuheng.performance",
    "yuheng.analysis",
    "yuheng.web",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "yuheng.web.middleware.SecurityHeaders",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "yuheng.people.middleware.RequireSignIn",
    "yuheng.web.middleware.SiteTime",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "yuheng.web.middleware.DomainErrorPages",
]
ROOT_URLCONF = "yuheng.config.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "yuheng.web.shell.shell",
            ],
        },
    }
]
DATABASES = {"default": _database(ENVIRONMENT.database_url)}

# ---- people -------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "people.Person"
AUTHENTICATION_BACKENDS = ["yuheng.people.identity.PersonBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "name_zh", "name_en")},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PLANT_FILE_SECTIONS = "yuheng.config.plant_file.SECTIONS"
"""What can be imported and exported; see `equipment.importing`."""
ENGINEERING_IMPACT = "yuheng.operations.selectors.impact.impact_of_change"
"""Who tells engineering what a change touches; see `engineering.selectors.where_used`."""
LOGIN_URL = "people:sign_in"
LOGIN_REDIRECT_URL = "/"
PUBLIC_ROUTES = frozenset(
    {
        "people:sign_in",
        "people:oidc_leave",
        "people:oidc_return",
        "people:signed_out",
        "people:impersonate",
        "web:preferences",
        "web:ca",
        "web:ca_file",
        "web:terminal_live",  # as the addresses of tablets below
        # A registered tablet is known by its own cookie; `operations.terminal.views.floor` checks it.
        "terminal:page",
        "terminal:worker",
        "terminal:pair",
        "terminal:snapshot",
        "terminal:merge",
        "terminal:station",
        "terminal:sign_in",
        "terminal:documents",
        "terminal:document",
    }
)
"""Names of the only routes that answer without signing in. ``tests/security`` walks all the others."""

# ---- language and time --------------------------------------------------------------------------------------------

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "中文"), ("en", "English")]
LOCALE_PATHS = [PACKAGE / "web" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

THEME_COOKIE_NAME = "yh_theme"
"""Same name as `web.shell.THEME_COOKIE`; set from the person's profile at sign-in."""

# ---- safety of the browser ----------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "yuheng.web.assets.VersionedStaticFiles"},
}
SESSION_COOKIE_NAME = "yuheng_session"
SESSION_COOKIE_AGE = 7 * 24 * 3600  # a control room's wall stays signed in over a week end
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = ENVIRONMENT.is_tls
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = ENVIRONMENT.is_tls
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENVIRONMENT.is_behind_proxy else None
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if ENVIRONMENT.is_tls else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ---- log ----------------------------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"django": {"handlers": ["stderr"], "level": "ERROR", "propagate": False}},
}
"""Requests that broke, with their traceback, on stderr: the web log. Tracebacks carry no values of variables, and
addresses are logged without their query, so no secret gets there.
"""
