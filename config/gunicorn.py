"""The web server. Addresses come from the command line or PORT; what is measured and decided stands here."""

import os

bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))

# A gthread worker's timeout does not end a slow request, only a worker that hangs as a whole.
timeout = 60
graceful_timeout = 10
keepalive = 5

# Two servers of one user would fight over the one socket in the home directory.
control_socket_disable = True
accesslog = None
