"""The project's settings in the small world, for the processes that the tests start."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.runtime.messaging.small_world.SmallWorld"]
SUBSCRIPTIONS = "tests.runtime.messaging.small_world.SUBSCRIPTIONS"
EVENTS = "tests.runtime.messaging.small_world.EVENTS"
