"""Which code judges: the recorded digest, a changed file, a foreign package."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from safety import kernel
from safety.kernel import ForeignKernelError, kernel_digest, verify_kernel, verify_packages
from tests.paths import ROOT


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The kernel in another place, with a record of its own."""
    for name in kernel.FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(kernel.FOLDER / name, tmp_path / name)
    (tmp_path / kernel.RECORD).write_text(kernel.listing(tmp_path))
    return tmp_path


def test_the_recorded_digest_is_the_one_of_these_files() -> None:
    assert (kernel.FOLDER / kernel.RECORD).read_text() == kernel.listing(), kernel.HOW


def test_every_file_that_judges_is_recorded() -> None:
    around = ("proof/", "tools/", "forms/vectorised", "text.py", "verify.py")
    found = {path.relative_to(kernel.FOLDER).as_posix() for path in kernel.FOLDER.rglob("*.py")}
    assert {name for name in found if not name.startswith(around)} == set(kernel.FILES)


def test_a_changed_file_is_named(copied: Path) -> None:
    (copied / "ramp.py").write_text("# nothing")
    with pytest.raises(ForeignKernelError, match=r"differ from the recorded ones: ramp\.py"):
        verify_kernel(copied)


def test_a_missing_file_is_named(copied: Path) -> None:
    (copied / "guard.py").unlink()
    with pytest.raises(ForeignKernelError, match=r"guard\.py"):
        verify_kernel(copied)


def test_a_missing_record_is_named(copied: Path) -> None:
    (copied / kernel.RECORD).unlink()
    with pytest.raises(ForeignKernelError, match=r"kernel\.sha256"):
        verify_kernel(copied)


def test_digest_changes_with_a_byte_but_not_line_ends(copied: Path) -> None:
    before = kernel_digest(copied)
    text = (copied / "values.py").read_bytes()
    (copied / "values.py").write_bytes(text.replace(b"\n", b"\r\n"))
    assert kernel_digest(copied) == before
    (copied / "values.py").write_bytes(text + b" ")
    assert kernel_digest(copied) != before


def test_our_packages_share_one_folder() -> None:
    assert verify_packages() == ROOT


def test_a_foreign_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "foreign_safety").mkdir()
    (tmp_path / "foreign_safety" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ForeignKernelError) as caught:
        verify_packages(("controller", "foreign_safety"))
    assert str(caught.value) == (
        f"packages come from different places (`controller` in {ROOT}, `foreign_safety` in {tmp_path}): a package index "
        "has another `safety`; install understudy into an environment of its own"
    )


def test_a_package_that_is_not_there_is_refused() -> None:
    with pytest.raises(ForeignKernelError, match=r"^package `nowhere_at_all` is not installed: reinstall understudy$"):
        verify_packages(("controller", "nowhere_at_all"))


def test_the_command_checks_and_records() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "safety.kernel"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, kernel_digest()), kernel.HOW
    assert kernel.main(["--nonsense"]) == 2


def test_the_command_says_the_digest_and_says_what_is_wrong(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernel, "FOLDER", copied)
    for name in ("listing", "kernel_digest", "verify_kernel"):
        at_home = getattr(kernel, name)
        monkeypatch.setattr(kernel, name, lambda folder=copied, at_home=at_home: at_home(folder))
    before = kernel_digest(copied)
    assert kernel.main([]) == 0
    assert capsys.readouterr().out == f"{before}\n"
    (copied / "ramp.py").write_text("# ä", encoding="utf-8")
    (copied / "loading" / "when.py").write_text("# nothing")
    assert kernel.main([]) == 1
    assert capsys.readouterr().err == (
        "kernel files differ from the recorded ones: loading/when.py, ramp.py: reinstall understudy or, if you changed them, "
        "run `python -m safety.kernel --record` and commit `safety/kernel.sha256` with the change\n"
    )
    assert kernel.main(["--record"]) == 0
    assert capsys.readouterr().out == f"{kernel_digest(copied)}\n"
    assert kernel_digest(copied) != before
    assert (copied / kernel.RECORD).read_text() == kernel.listing(copied)
    assert kernel.main(["--nonsense"]) == 2
    assert kernel.main(["--record", "twice"]) == 2
    assert capsys.readouterr().err == 2 * "usage: python -m safety.kernel [--record]\n"


def test_what_is_verified_is_what_is_named(copied: Path) -> None:
    assert verify_kernel(copied) == kernel_digest(copied)
    (copied / "ramp.py").write_text("# nothing")
    (copied / kernel.RECORD).write_text(kernel.listing(copied))
    assert verify_kernel(copied) == kernel_digest(copied)
    lines = kernel.listing(copied).splitlines()
    assert [line.split("  ")[1] for line in lines] == list(kernel.FILES)
    assert all(re.fullmatch(r"[0-9a-f]{64}  \S+\.py", line) for line in lines)
    (copied / "guard.py").unlink()
    with pytest.raises(ForeignKernelError) as caught:
        verify_kernel(copied)
    assert str(caught.value) == (
        f"kernel file `{copied / 'guard.py'}` cannot be read: reinstall understudy; another package named `safety` "
        "may have replaced it"
    )


def test_the_kernel_imports_the_standard_library_only() -> None:
    code = (
        "import sys; import safety.guard, safety.kernel, safety.command_lease, safety.loading.when; "
        "print(sorted({n.split('.')[0] for n in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(eval(done.stdout)) <= {"safety", "__main__", "__mp_main__"}
