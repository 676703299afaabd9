"""Django's settings, composed from the environment. Everything that varies is read in environment.py."""

from pathlib import Path

from config.environment import DOMAINS, ENVIRONMENT, django_database
from runtime.telemetry.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent

# --- What runs here -------------------------------------------------------------------------------------------------

HOSTED_DOMAINS = ENVIRONMENT.hosted_domains
STATE_DIR = ENVIRONMENT.state_dir

INSTALLED_APPS = [
    # Their tables are never made: roles and permissions are code (contracts/users.py), identity is a token.
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "health_check",
    "config",
    "runtime.databases",
    "runtime.calls",
    "runtime.messaging",
    "runtime.eventstore",
    "runtime.saga",
    "runtime.idempotency",
    *(f"apps.{domain}" for domain in HOSTED_DOMAINS),
]

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
AUTH_USER_MODEL = "users.User"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Data -----------------------------------------------------------------------------------------------------------

# No default to fall into: a query that the router does not know is an error.
DATABASES = {"default": {}, **{domain: django_database(ENVIRONMENT.databases[domain]) for domain in DOMAINS}}
DATABASE_ROUTERS = ["runtime.databases.router.DomainRouter"]
DATABASE_OWNERS = dict(ENVIRONMENT.owner_databases)
DATABASE_ADMINS = dict(ENVIRONMENT.admin_databases)
DOMAIN_ALIASES = DOMAINS
RUNTIME_APPS = ("messaging", "eventstore", "saga", "idempotency")
MIGRATION_MODULES = {"auth": None, "contenttypes": None}

# --- What runtime needs of a domain, handed in ------------------------------------------------------------------------

SERVICES = {domain: f"apps.{domain}.service.SERVICE" for domain in DOMAINS}
CONTRACTS = {domain: f"contracts.{domain}.{domain.upper()}" for domain in DOMAINS}
SUBSCRIPTIONS = "config.subscriptions.SUBSCRIPTIONS"
EVENTS = "config.subscriptions.EVENTS"
IDENTITY_PERMISSIONS = "contracts.users.permissions_of"
IDENTITY_STAFF_ROLES = "contracts.users.STAFF_ROLES"

# --- The shop -------------------------------------------------------------------------------------------------------

SHOP_CURRENCY = ENVIRONMENT.shop_currency
ORDER_BUDGET = ENVIRONMENT.order_budget
PAYMENT_PROVIDER = ENVIRONMENT.payment_provider
PROVIDER_TIMEOUT = ENVIRONMENT.provider_timeout
SANDBOX_WEBHOOK_URL = ENVIRONMENT.webhook_url
SANDBOX_WEBHOOK_SECRET = ENVIRONMENT.webhook_secret
# At most half of the web threads may wait for the provider; the rest keep answering.
PROVIDER_WAITERS = max(1, ENVIRONMENT.web_threads // 2)

# --- Events ---------------------------------------------------------------------------------------------------------

BROKER_URL = ENVIRONMENT.broker_url
PUBLISH_ALL = ENVIRONMENT.publish_all

# --- HTTP -----------------------------------------------------------------------------------------------------------

MIDDLEWARE = [
    "runtime.http.request_ids.RequestIdMiddleware",
    "runtime.http.guard.GuardMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "runtime.identity.authentication.IdentityMiddleware",
    "runtime.http.limits.LimitsMiddleware",
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["runtime.identity.authentication.BearerAuthentication"],
    # A view that says nothing is for whoever is signed in.
    "DEFAULT_PERMISSION_CLASSES": ["runtime.identity.permissions.SignedIn"],
    "DEFAULT_PARSER_CLASSES": ["runtime.http.parser.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "runtime.http.negotiation.JsonAlways",
    "DEFAULT_SCHEMA_CLASS": "runtime.http.schema.ApiSchema",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "runtime.http.problems.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
# The path of a field error; problems.py makes a JSON pointer of it.
DRF_STANDARDIZED_ERRORS = {"NESTED_FIELD_SEPARATOR": "/"}
SPECTACULAR_SETTINGS = {
    "TITLE": "Mitosis",
    "DESCRIPTION": "A commerce back end: users, inventory, payments and orders.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "GET_LIB_DOC_EXCLUDES": "runtime.http.schema.undocumented",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
STATIC_URL = "/static/"
# Served as the installed apps have them: there is no step that collects them first.
WHITENOISE_USE_FINDERS = True
# The parser's own limit, also for the views that read a body raw.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
CACHE_URL = ENVIRONMENT.cache_url
RATE_LIMIT_ANONYMOUS = ENVIRONMENT.rate_limit_anonymous
RATE_LIMIT_USER = ENVIRONMENT.rate_limit_user
# Probes, keys and documentation are for machines; a provider's webhooks come from few addresses, and often.
RATE_LIMIT_EXEMPT = (
    "/health",
    "/.well-known/jwks.json",
    "/api/schema",
    "/api/docs",
    *(f"/api/{domain}/schema" for domain in DOMAINS),
    "/api/payments/webhooks",
    "/internal",
)
SIGN_IN_LIMIT = "10/15m"
TRUSTED_PROXIES = ENVIRONMENT.trusted_proxies

# --- Identity -------------------------------------------------------------------------------------------------------

JWT_SIGNING_KEY = ENVIRONMENT.jwt_signing_key
JWKS_URL = None
SERVICE_KEY = ENVIRONMENT.service_key
PASSWORD_HASHERS = ["runtime.identity.passwords.Argon2id"]

# --- Logs -----------------------------------------------------------------------------------------------------------

LOG_FORMAT = ENVIRONMENT.log_format
LOGGING = logging_config(LOG_FORMAT)
