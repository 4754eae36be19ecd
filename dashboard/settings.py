"""Django's settings, all of them from the environment (see env.py and the README's table)."""

import os
import re
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from celery.schedules import crontab
from csp.constants import NONE, SELF

from dashboard.env import Env, EnvError, keep_private, read_choices

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()

DEBUG = env.flag("DEBUG", False)
DATA_DIR = env.folder("DATA_DIR", BASE_DIR / "var")
SECRET_KEY = env.secret_key("SECRET_KEY", DATA_DIR)
if not DEBUG:
    keep_private(DATA_DIR)
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", LOCAL_HOSTS)
if DEBUG and (public := [host for host in ALLOWED_HOSTS if host not in LOCAL_HOSTS]):
    raise EnvError(
        f"DEBUG is on and ALLOWED_HOSTS names {public[0]}: its error pages show settings and data to anybody. "
        "Set DEBUG to 0, or leave ALLOWED_HOSTS unset."
    )
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
# Behind TLS the site has to know its own https origin; that is also what turns on everything that
# only works there. Without it the site speaks plain HTTP, as on one's own computer.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
BEHIND_TLS = any(origin.startswith("https://") for origin in CSRF_TRUSTED_ORIGINS)

# What is pulled, and how.
UMEET_URL = env.url("UMEET_URL", "https://api.systeccloud.com/umeeting/")
UMEET_API_KEY = env.text("UMEET_API_KEY")
UMEET_API_SECRET = env.text("UMEET_API_SECRET")
# The zones may have been chosen by the set-up pages instead.
_chosen = read_choices(DATA_DIR)
SET_BY_ENVIRONMENT = frozenset(name for name in ("TIME_ZONE", "UMEET_TIME_ZONE") if env.text(name))
UMEET_TIME_ZONE = env.zone("UMEET_TIME_ZONE", _chosen.get("UMEET_TIME_ZONE", "Asia/Shanghai"))
UMEET_TIMEOUT = env.number("UMEET_TIMEOUT", 30, 0.1, 600)
UMEET_PULL_DATES = env.flag("UMEET_PULL_DATES", True)
OPENING_HOURS = env.opening_hours("OPENING_HOURS", "Mon-Fri 09:00-18:00")
RETENTION_DAYS = env.whole("RETENTION_DAYS", None, 1, 36500)
RETENTION_NAMES_DAYS = env.whole("RETENTION_NAMES_DAYS", None, 1, 36500)
# How far back the first pull by dates goes unless the set-up pages said otherwise; `pull --from` reaches further.
HISTORY_DAYS = 366
# Who may read /metrics from elsewhere than this computer, as a bearer token; unset: nobody.
METRICS_TOKEN = env.text("METRICS_TOKEN")
# Set by `start --demo` for its own children only.
DEMO = env.flag("ROOMLEDGER_DEMO", False)

# Mail: off unless EMAIL_URL is set. The address holds a password, so it is kept in parts and under Django's names,
# which its error pages know to hide.
_server = env.mail_server("EMAIL_URL")
EMAIL_ON = _server is not None
SITE_URL = env.url("SITE_URL", "https://rooms.example.com/") if env.text("SITE_URL") else ""
# The demo's parent gives its children their address.
if EMAIL_ON and not SITE_URL and "--demo" not in sys.argv:
    raise EnvError(
        "EMAIL_URL is set and SITE_URL is not. Set SITE_URL to the address of this site, such as "
        "https://rooms.example.com/: the links in a mail begin with it."
    )
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.mail_from(
    "EMAIL_FROM", f"Roomledger <roomledger@{urlsplit(SITE_URL).hostname or 'localhost'}>"
)
EMAIL_BACKEND = "dashboard.smtp.Backend" if EMAIL_ON else "django.core.mail.backends.dummy.EmailBackend"
if _server is not None:
    EMAIL_HOST, EMAIL_PORT = _server.host, _server.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _server.user, _server.password
    EMAIL_USE_TLS, EMAIL_USE_SSL = _server.tls == "start", _server.tls == "whole"
EMAIL_TIMEOUT = 30
EMAIL_USE_LOCALTIME = True
# How soon the recent days are asked about again; a demo that is looked at for minutes moves within them.
RECENT_AGAIN = timedelta(minutes=1) if DEMO else timedelta(hours=1)
# And the provider's totals of this month and the last.
TOTALS_AGAIN = timedelta(minutes=10) if DEMO else timedelta(days=1)

# Another system in front of the site may say who somebody is, by a header that only a trusted proxy can set.
SSO_HEADER = env.text("SSO_HEADER")
if SSO_HEADER and not re.fullmatch(r"[A-Za-z][A-Za-z-]*", SSO_HEADER):
    raise EnvError(f"SSO_HEADER is '{SSO_HEADER}'. Set it to the name of a header, such as X-Remote-User.")
if SSO_HEADER and not TRUSTED_PROXIES:
    raise EnvError(
        "SSO_HEADER is set and TRUSTED_PROXIES is not. Set TRUSTED_PROXIES to the proxy that sets the header."
    )
SSO_CREATE = env.text("SSO_CREATE")
if SSO_CREATE not in {"", "viewer"}:
    raise EnvError(f"SSO_CREATE is '{SSO_CREATE}'. Set it to viewer, or leave it unset.")

INSTALLED_APPS = [
    "dashboard",
    "reports",
    "dashboard.adminapp.LedgerAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "axes",
]

MIDDLEWARE = [
    "dashboard.proxies.TrustedProxyMiddleware",
    # What every answer carries comes first: files and errors carry it too.
    "django.middleware.security.SecurityMiddleware",
    "dashboard.middleware.HeadersMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "dashboard.middleware.RequestMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "dashboard.signin.SessionTimeMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "dashboard.middleware.BodySizeMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    *(["dashboard.signin.HeaderMiddleware"] if SSO_HEADER else []),
    "dashboard.middleware.TokenMiddleware",
    "dashboard.middleware.AskingMiddleware",
    "dashboard.signin.SignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "dashboard.middleware.HtmxVaryMiddleware",
    "dashboard.middleware.SteadyMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "dashboard.urls"
WSGI_APPLICATION = "dashboard.wsgi.application"

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
                "dashboard.context.site",
            ],
        },
    },
]

DATABASES = {"default": env.database("DATABASE_URL", DATA_DIR)}
DATABASE_POOL = env.whole("DATABASE_POOL", None, 1, 1000)
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: a transaction that will write takes its turn at its start, and so never fails
    # half-way because another one wrote first. WAL: readers and the writer do not wait for each other.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # The log is written back each 32 MB: a pull touches the same pages again and again, and is 5 to 10 % faster so.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000; "
        "PRAGMA wal_autocheckpoint=8000;",
    }
    # Tests run on a file too, in WAL mode, as the site does.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / f"test-{os.getpid()}.sqlite3")}
    if DATABASE_POOL is not None:
        raise EnvError("DATABASE_POOL is set and DATABASE_URL names no PostgreSQL. Leave DATABASE_POOL unset.")
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    if DATABASE_POOL is None:
        # Each thread keeps its own connection for a while.
        DATABASES["default"]["CONN_MAX_AGE"] = 60
    else:
        # The threads of a process share so many: who comes when all are taken waits for one. A process that is
        # idle holds one.
        DATABASES["default"]["CONN_MAX_AGE"] = 0
        _told = DATABASES["default"].get("OPTIONS")
        DATABASES["default"]["OPTIONS"] = {
            **(_told if isinstance(_told, dict) else {}),
            "pool": {"min_size": 1, "max_size": DATABASE_POOL, "timeout": 30},
        }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "dashboard.passwords.LongEnough"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# New ones by the first; those of the others are made anew by it when their owner signs in.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
    "django.contrib.auth.hashers.ScryptPasswordHasher",
]
AUTHENTICATION_BACKENDS = [
    *(["dashboard.signin.HeaderBackend"] if SSO_HEADER else []),
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Who guesses waits (see signin.py).
AXES_HANDLER = "dashboard.signin.Handler"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
AXES_CLIENT_IP_CALLABLE = "dashboard.signin.client_address"
AXES_CLIENT_STR_CALLABLE = "dashboard.signin.client_words"
AXES_WHITELIST_CALLABLE = "dashboard.signin.is_said_by_a_proxy"
AXES_LOCKOUT_CALLABLE = "dashboard.signin.locked"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
FORMAT_MODULE_PATH = ["dashboard.formats"]
LOCALE_PATHS = [BASE_DIR / "dashboard" / "locale"]
# The choice of a language is remembered by the browser, signed in or not.
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
TIME_ZONE = env.zone("TIME_ZONE", _chosen.get("TIME_ZONE", "Asia/Shanghai"))
USE_I18N = True
USE_TZ = True
USE_THOUSAND_SEPARATOR = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
# The folder is filled by `start`; a site that serves no files yet (a command, a test) is not worth a warning.
STATIC_ROOT.mkdir(exist_ok=True)

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],  # Tabler draws its icons in select boxes as data: images
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
# Unused for so long, or so long after the sign-in, a session ends.
SESSION_COOKIE_AGE = int(3600 * env.number("SESSION_HOURS", 12, 0.1, 168))
SESSION_MOST = timedelta(days=7)
if BEHIND_TLS:
    # A browser takes these only over TLS, for this host and for all of it: no neighbour can set them.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    LANGUAGE_COOKIE_NAME = "__Host-language"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = BEHIND_TLS
SECURE_SSL_REDIRECT = BEHIND_TLS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^metrics$"]  # asked from inside, without TLS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if BEHIND_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = BEHIND_TLS
if BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20  # a pasted list of 200,000 meeting numbers
FILE_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20
# A form as a whole, with a file in it: nothing longer is taken in.
LARGEST_BODY = 6 * 2**20

# Celery. The broker only wakes the worker; what is due stands in the database.
CELERY_BROKER_URL = env.choice(
    "CELERY_BROKER_URL", r"(redis|rediss|filesystem)://", "filesystem://localhost/", "redis://127.0.0.1:6379/0"
)
EMBEDDED_BROKER = CELERY_BROKER_URL.startswith("filesystem://")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
if EMBEDDED_BROKER:
    for name in ("queue", "control"):
        (DATA_DIR / "broker" / name).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(DATA_DIR / "broker" / "queue"),
        "data_folder_out": str(DATA_DIR / "broker" / "queue"),
        "control_folder": str(DATA_DIR / "broker" / "control"),
        "polling_interval": 0.3,
    }
else:
    # A web request that wakes the worker must not hang on a Redis that is away: the next tick does it.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 3, "socket_timeout": 10}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "roomledger"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
# How soon budgets and due mail are looked at again: at the full hour, and soon in a demo that is looked at.
MAIL_AGAIN = 20.0 if DEMO else crontab(minute="*/5")
CELERY_BEAT_SCHEDULE = {
    # A tick that waited longer than its own interval has nothing left to say.
    "pull-due": {"task": "reports.tasks.pull_due", "schedule": 60.0, "options": {"expires": 55}},
    "pull-recent-days": {
        "task": "reports.tasks.pull_recent_days",
        "schedule": crontab(minute="7"),
        "options": {"expires": 3000},
    },
    "pull-rooms": {
        "task": "reports.tasks.pull_rooms",
        "schedule": crontab(hour="5", minute="20"),
        "options": {"expires": 3600},
    },
    "prune": {
        "task": "reports.tasks.prune",
        "schedule": crontab(hour="4", minute="40"),
        "options": {"expires": 3600},
    },
    "tidy-accounts": {
        "task": "dashboard.tasks.tidy_accounts",
        "schedule": crontab(hour="4", minute="50"),
        "options": {"expires": 3600},
    },
    "check-budgets": {
        "task": "dashboard.tasks.check_budgets",
        "schedule": MAIL_AGAIN,
        "options": {"expires": 290},
    },
    "check-outages": {
        "task": "dashboard.tasks.check_outages",
        "schedule": MAIL_AGAIN,
        "options": {"expires": 290},
    },
    "send-due-reports": {
        "task": "dashboard.tasks.send_due_reports",
        "schedule": MAIL_AGAIN,
        "options": {"expires": 290},
    },
}

# The console is for people, the file for programs, unless told otherwise.
LOG_FORMAT = env.choice("LOG_FORMAT", r"(json|line|)$", "", "json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"belongs": {"()": "reports.logs.Belongs"}},
    "formatters": {
        "line": {
            "()": "reports.logs.Line",
            "format": "%(asctime)s %(levelname)s %(name)s %(process)d%(where)s: %(message)s",
        },
        "json": {"()": "reports.logs.Json"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT or "line",
            "filters": ["belongs"],
            "level": "DEBUG" if DEBUG else "WARNING",
        },
        "file": {
            "class": "reports.logs.WholeLines",
            "filename": str(DATA_DIR / "roomledger.log"),
            "formatter": LOG_FORMAT or "json",
            "filters": ["belongs"],
            "encoding": "utf-8",
            "delay": True,
        },
    },
    "root": {"handlers": ["console", "file"], "level": "DEBUG" if DEBUG else "INFO"},
    "loggers": {
        # SQL at debug level would bury everything else.
        "django.db.backends": {"level": "INFO"},
        "axes": {"level": "WARNING"},
        "django.template": {"level": "INFO"},
        "django.utils.autoreload": {"level": "INFO"},
    },
}
