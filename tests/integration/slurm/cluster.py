"""A Slurm cluster of one node on this machine: started, asked, and stopped again (needs root)."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.conftest import until

LIMIT = 60.0  # seconds for anything that a daemon does
MEGABYTES = 6000  # of the node, which is told to have 2 CPUs
CONFIGURATION = Path("/etc/slurm/slurm.conf")  # Slurm of Debian works with no other place
SPOOLS = [Path("/var/spool/slurmctld-test"), Path("/var/spool/slurmd-test")]
OURS = "# of the tests, left there if they were killed\n"
SETTINGS = """
ClusterName=test
SlurmctldHost={host}
SlurmUser=root
StateSaveLocation={state}
SlurmdSpoolDir={spool}
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
ReturnToService=2
KillWait=2
NodeName={host} CPUs=2 RealMemory={megabytes} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def ask(*command: str) -> str:
    """Run a command and give what it says; raises if it fails."""
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=LIMIT
    ).stdout.strip()


class Cluster:
    """The daemons, as processes of this one, and what they are asked."""

    def __init__(self) -> None:
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, user: str | None = None) -> None:
        """Start a daemon."""
        alone = {"munged": "--foreground"}.get(name, "-D")
        self.daemons[name] = subprocess.Popen(
            [name, alone],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=SPOOLS[0],  # where one that crashes leaves its core
            user=user,
            group=user,
        )

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End a daemon that was started, and wait until it is gone."""
        daemon = self.daemons.pop(name)
        daemon.send_signal(how)
        try:
            daemon.wait(LIMIT)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait(LIMIT)

    def wait_for_node(self) -> None:
        """Wait until the node takes jobs."""
        until(lambda: ask("sinfo", "--noheader", "--format=%T") in ("idle", "mixed"), "the node")


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a cluster while the block runs; raises if this machine has a slurm.conf of its own."""
    if CONFIGURATION.exists() and not CONFIGURATION.read_text().startswith(OURS):
        raise FileExistsError(f"{CONFIGURATION} is there: this machine has a cluster already")
    made, host = Cluster(), socket.gethostname()
    for place in SPOOLS:
        place.mkdir(parents=True, exist_ok=True)
    state, spool = SPOOLS
    CONFIGURATION.write_text(
        OURS + SETTINGS.format(host=host, state=state, spool=spool, megabytes=MEGABYTES)
    )
    try:
        if not authenticates():
            Path("/run/munge").mkdir(exist_ok=True)
            shutil.chown("/run/munge", "munge", "munge")
            made.start("munged", user="munge")
            until(authenticates, "munged")
        made.start("slurmctld")
        made.start("slurmd")
        until(lambda: answers("sinfo"), "slurmctld")
        made.wait_for_node()
        yield made
    finally:
        if "slurmctld" in made.daemons:
            with suppress(subprocess.SubprocessError, TimeoutError):
                ask("scancel", "--user=root")
                until(lambda: not jobs("PENDING,RUNNING,COMPLETING"), "the end of all jobs", 20)
        for name in reversed([*made.daemons]):
            made.stop(name)
        CONFIGURATION.unlink()
        for place in SPOOLS:
            shutil.rmtree(place, ignore_errors=True)


def answers(*command: str) -> bool:
    """Tell whether a command succeeds."""
    return subprocess.run(command, capture_output=True, timeout=LIMIT).returncode == 0


def authenticates() -> bool:
    """Tell whether there is a munged, by which Slurm's daemons know who asks."""
    return answers("munge", "--no-input")


def jobs(state: str) -> list[str]:
    """Give the jobs that Slurm has in these states."""
    return ask("squeue", "--noheader", f"--states={state}", "--format=%i").split()
