"""Steps of a published client, told one by one. Imported by the scripts that run in a scratch environment."""

import sys


class Steps:
    """Each step is a sentence and a function; what the function returns is shown, what it raises is a failure."""

    def __init__(self):
        self.failed = 0

    def step(self, sentence, action):
        try:
            shown = action()
        except Exception as error:  # noqa: BLE001  one failed step is told, and the others go on
            self.failed += 1
            print(f"  FAIL  {sentence}: {type(error).__name__}: {str(error)[:300]}", flush=True)
            return None
        told = "" if shown is None else f": {str(shown)[:90]}"
        print(f"  PASS  {sentence}{told}", flush=True)
        return shown

    def refused(self, sentence, action, *words):
        """The venue must refuse, in these words."""

        def refuse():
            try:
                given = action()
            except Exception as error:  # noqa: BLE001  the client's own error types differ
                text = f"{error} {getattr(error, 'body', '')}"
                assert all(word in text for word in words), f"refused in other words: {text[:300]}"
                return next(iter(words), text[:60])
            raise AssertionError(f"accepted: {given}")

        return self.step(sentence, refuse)

    def end(self):
        sys.exit(1 if self.failed else 0)
