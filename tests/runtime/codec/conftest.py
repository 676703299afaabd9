from hypothesis import settings

# How long an example takes says nothing on a machine that runs other tests beside this one.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
