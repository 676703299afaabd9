"""Django's settings, composed from the environment. Everything that varies is read in environment.py."""

from pathlib import Path

from config.calls import CALLERS as CALLERS
from config.calls import call_policies
from config.console import UNFOLD as UNFOLD
from config.dynamic_values import DYNAMIC_VALUES as DYNAMIC_VALUES
from config.environment import DOMAINS, ENVIRONMENT, django_database
from runtime.discovery.names import bracketed
from runtime.telemetry.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent

# --- What runs here -------------------------------------------------------------------------------------------------

HOSTED_DOMAINS = ENVIRONMENT.hosted_domains
# Where each domain that is not hosted here answers other services, or how that is found out.
DISCOVERY = ENVIRONMENT.services.discovery
SERVICE_URLS = dict(ENVIRONMENT.services.urls)
CONSUL_URL = ENVIRONMENT.services.consul_url
CONSUL_TOKEN = ENVIRONMENT.services.consul_token
STATE_DIR = ENVIRONMENT.state_dir

INSTALLED_APPS = [
    # Their tables are never made: roles and permissions are code (contracts/users.py), identity is a token.
    "django.contrib.auth",
    "django.contrib.contenttypes",
    # The console: our templates before Unfold's, and Unfold's before Django's.
    "runtime.console",
    "unfold.apps.BasicAppConfig",
    "runtime.console.apps.AdminConfig",
    "django.contrib.messages",
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
    "runtime.audit",
    "runtime.dynconf",
    "runtime.pulses",
    *(f"apps.{domain}" for domain in HOSTED_DOMAINS),
]

SECRET_KEY = ENVIRONMENT.secret_key
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)
if ENVIRONMENT.services.inside_host:
    # What other services are told to call us by.
    ALLOWED_HOSTS.append(bracketed(ENVIRONMENT.services.inside_host))
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
# Whoever is at the console, in every topology. The accounts of users are users' own and nobody else's to look at.
AUTH_USER_MODEL = "console.Operator"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "config.formats"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Data -----------------------------------------------------------------------------------------------------------

# No default to fall into: a query that the router does not know is an error.
DATABASES = {"default": {}, **{domain: django_database(ENVIRONMENT.databases[domain]) for domain in DOMAINS}}
DATABASE_ROUTERS = ["runtime.databases.router.DomainRouter"]
DATABASE_OWNERS = dict(ENVIRONMENT.owner_databases)
DATABASE_ADMINS = dict(ENVIRONMENT.admin_databases)
DOMAIN_ALIASES = DOMAINS
RUNTIME_APPS = ("messaging", "eventstore", "saga", "calls", "idempotency", "audit", "dynconf", "pulses")
MIGRATION_MODULES = {"auth": None, "contenttypes": None, "admin": None, "console": None}

# --- What runtime needs of a domain, handed in ------------------------------------------------------------------------

SERVICES = {domain: f"apps.{domain}.service.SERVICE" for domain in DOMAINS}
CONTRACTS = {domain: f"contracts.{domain}.{domain.upper()}" for domain in DOMAINS}
SUBSCRIPTIONS = "config.subscriptions.SUBSCRIPTIONS"
EVENTS = "config.subscriptions.EVENTS"
EVENT_FIGURES = "config.event_figures.EVENT_FIGURES"
IDENTITY_PERMISSIONS = "contracts.users.permissions_of"
IDENTITY_STAFF_ROLES = "contracts.users.STAFF_ROLES"
CONSOLE_IDENTITY = "contracts.users.USERS"
# What each domain tells the console's first page of itself, in the order in which they stand there.
CONSOLE_OVERVIEWS = {domain: f"apps.{domain}.admin.overview" for domain in reversed(DOMAINS)}
# Who has a process started anew, and what it is called there.
CONSOLE_STARTED_AS = "config.starting_anew.started_as"
CONSOLE_START_ANEW = "config.starting_anew.start_anew"

# --- The shop -------------------------------------------------------------------------------------------------------

SHOP_CURRENCY = ENVIRONMENT.shop_currency
ORDER_BUDGET = ENVIRONMENT.order_budget
# Seconds that one step of a process is tried for before a person has to look.
SAGA_PATIENCE = ENVIRONMENT.saga_patience
PAYMENT_PROVIDER = ENVIRONMENT.payment_provider
# Whether an order's money is taken when it is placed, or held then and taken when it is shipped.
PAYMENT_CAPTURE = ENVIRONMENT.payment_capture
PROVIDER_TIMEOUT = ENVIRONMENT.provider_timeout
SANDBOX_WEBHOOK_URL = ENVIRONMENT.webhook_url
SANDBOX_WEBHOOK_SECRET = ENVIRONMENT.webhook_secret
STRIPE_API_KEY = ENVIRONMENT.stripe.secret_key
STRIPE_WEBHOOK_SECRETS = ENVIRONMENT.stripe.webhook_secrets
STRIPE_API_BASE = ENVIRONMENT.stripe.api_base
# At most half of the web threads may wait for the provider; the rest keep answering.
PROVIDER_WAITERS = max(1, ENVIRONMENT.web_threads // 2)

# --- Calls ----------------------------------------------------------------------------------------------------------

# By domain: at most half of the web threads may wait for one of them.
CALL_POLICIES = call_policies(
    places=max(1, ENVIRONMENT.web_threads // 2), provider_seconds=ENVIRONMENT.provider_timeout
)

# --- What changes while everything runs -----------------------------------------------------------------------------

# In whose schema it is kept; the others ask that domain's processes.
DYNAMIC_DOMAIN = "users"
# So many services may wait for news at a time; each holds a web thread.
DYNAMIC_WAITERS = max(1, ENVIRONMENT.web_threads // 4)

# --- Events ---------------------------------------------------------------------------------------------------------

BROKER_URL = ENVIRONMENT.broker_url
PUBLISH_ALL = ENVIRONMENT.publish_all
# How often a consumer tries an event before a person has to look.
EVENT_ATTEMPTS = ENVIRONMENT.event_attempts
# Seconds that the outbox keeps what was told; the inbox keeps what was handled for twice as long.
EVENT_RETENTION = ENVIRONMENT.event_retention

# --- HTTP -----------------------------------------------------------------------------------------------------------

MIDDLEWARE = [
    "runtime.http.request_ids.RequestIdMiddleware",
    "runtime.http.inside.InsideMiddleware",
    "runtime.http.guard.GuardMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Before the limits, which do not count whoever works for the shop.
    "runtime.console.middleware.ConsoleMiddleware",
    "runtime.identity.authentication.IdentityMiddleware",
    "runtime.http.limits.LimitsMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
# What answers on the inside port, and nowhere else.
INSIDE_PORT = ENVIRONMENT.inside_port
INSIDE_URLCONF = "config.inside_urls"
# Where a worker or a relay is looked after; a web server is on its inside port.
PROBE_BIND = ENVIRONMENT.probe_bind
PROBE_URLCONF = "config.probe_urls"
# What is asked of the databases and the broker whenever /metrics is read, beside what each process has counted.
METRIC_COLLECTORS = (
    "runtime.messaging.figures.EventFigures",
    "runtime.saga.figures.SagaFigures",
    "config.stock_figures.StockFigures",
)
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
MAIL_LIMIT = "10/15m"
TRUSTED_PROXIES = ENVIRONMENT.trusted_proxies

# --- Identity -------------------------------------------------------------------------------------------------------

JWT_SIGNING_KEY = ENVIRONMENT.jwt_signing_key
# Where whoever has no signing key finds the public ones, and keeps the last good ones.
JWKS_URL = ENVIRONMENT.jwks_url
JWKS_KEPT_IN = STATE_DIR / "jwks.json"
SERVICE_KEY = ENVIRONMENT.service_key
PASSWORD_HASHERS = ["runtime.identity.passwords.Argon2id"]

# --- The console ----------------------------------------------------------------------------------------------------

CONSOLE_PATH = "/admin"
# Who hosts what and what goes between, for the console's picture of it.
CONSOLE_TOPOLOGY = "config.whereabouts.known_here"
# What to do when an alert comes; it is a page of the console, and comes with the code.
RUNBOOK = BASE_DIR / "docs" / "runbook.md"
MESSAGE_STORAGE = "runtime.console.messages.ConsoleMessages"
CSRF_COOKIE_PATH = CONSOLE_PATH
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "runtime.console.errors.csrf_failure"
# Django's own sessions and their users need tables; the console's middleware does without (runtime/console).
SILENCED_SYSTEM_CHECKS = ["admin.E408", "admin.E410"]

# --- Mail -----------------------------------------------------------------------------------------------------------

PUBLIC_URL = ENVIRONMENT.public_url
MAIL_FOLDER = ENVIRONMENT.mail.folder
DEFAULT_FROM_EMAIL = ENVIRONMENT.mail_from
EMAIL_BACKEND = ENVIRONMENT.mail.backend
EMAIL_HOST = ENVIRONMENT.mail.host
EMAIL_PORT = ENVIRONMENT.mail.port
EMAIL_HOST_USER = ENVIRONMENT.mail.user
EMAIL_HOST_PASSWORD = ENVIRONMENT.mail.password
EMAIL_USE_SSL = ENVIRONMENT.mail.ssl
EMAIL_USE_TLS = ENVIRONMENT.mail.tls
# Seconds, for each answer of the mail server.
EMAIL_TIMEOUT = 10

# --- Traces and logs --------------------------------------------------------------------------------------------------

# Where spans go (OTLP over HTTP); None: to the recent traces in the cache.
TRACES_ENDPOINT = ENVIRONMENT.traces_endpoint
# Which part of the traces that begin here is recorded, from 0 to 1.
TRACES_SAMPLE = ENVIRONMENT.traces_sample
# Where a person looks at a trace that went to a collector; {trace_id} stands for its id.
TRACES_URL = ENVIRONMENT.traces_url
# Probes, files, those who wait for news, and whoever looks at traces leave no trace.
TRACES_LEFT_OUT = ("/health", "/metrics", "/static", "/internal/config", f"{CONSOLE_PATH}/traces")
LOG_FORMAT = ENVIRONMENT.log_format
LOGGING = logging_config(LOG_FORMAT)
