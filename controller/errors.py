"""Every error an operator can see, in one tree. Each says what, given, wanted and what to do.

    UnderstudyError
    |- SettingsError      a site's files, or the command line
    |- IntegrityError     code or an artefact is not what it was signed or recorded to be
    |- StateError         the state directory: in use, torn, of another site
    '- IntentRefusedError an operator's act that may not be done now

`safety.loading.spec.SpecError`, `controller.records.codec.RecordError` and the bundle's errors are their packages' own; the command
line treats them alike: one line, exit code 2, nothing lost.
"""


class UnderstudyError(Exception):
    """Anything this program refuses with a reason."""


class SettingsError(UnderstudyError):
    """A site's files or the command line say something that cannot be."""


class IntegrityError(UnderstudyError):
    """Code or an artefact is not what it was recorded to be."""


class StateError(UnderstudyError):
    """The state directory cannot be used as it is."""


class IntentRefusedError(UnderstudyError):
    """An operator's act that may not be done now."""
