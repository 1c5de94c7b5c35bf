"""Decides what the guest runs on. A /dev/kvm can exist and not be hardware virtualisation, so it has to prove itself.

First tools/probe/ exercises ring changes and times a loop under KVM, then the real kernel boots a program that does next to
nothing. Anything but a quick pass means TCG. The decision is cached for this boot of the host and this kernel.
"""

import hashlib
import json
import os
import pathlib

import calibrate
import hostinfo
import probe
import qemu
from guest import BUILD, Guest, Outcome

CACHE = BUILD / "kvm.json"
DEVICE = "/dev/kvm"
WORK = 2_000_000  # loop turns: about 1 ms on hardware, seconds where ring 0 is interpreted
QUICK = 1.5  # seconds for the whole probe, start of QEMU included
SMOKE = 10.0


def examine(kernel: pathlib.Path, archive: pathlib.Path | None) -> tuple[bool, str]:
    """(is KVM real, why); never raises for a KVM that misbehaves."""
    if not os.path.exists(DEVICE):
        return False, f"there is no {DEVICE}"
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return False, f"no permission to open {DEVICE}"
    try:
        verdict, seconds = probe.run("kvm", WORK, 5.0)
    except (OSError, probe.Error) as error:
        return False, f"the KVM probe did not run: {error}"
    if verdict != "pass":
        return False, f"the KVM probe failed: {verdict.removeprefix('qemu-system-x86_64: ')}"
    if seconds > QUICK * calibrate.load_factor():
        return False, f"{DEVICE} interprets kernel code (the probe took {seconds:.1f} s), it is not hardware virtualisation"
    guest = Guest(kernel, archive, "init=/bin/smoke accel=kvm", accel="kvm", timeout=SMOKE)
    report = qemu.run(guest, show=False)
    if report.outcome is not Outcome.PASS:
        return False, f"the kernel's smoke test under KVM ended with {report.outcome.label} ({report.detail})"
    return True, f"the probe and the kernel's smoke test passed under KVM in {seconds:.2f} + {report.seconds:.2f} s"


def kvm_is_real(kernel: pathlib.Path, archive: pathlib.Path | None) -> tuple[bool, str]:
    state = [calibrate.boot_id(), hostinfo.sha256(kernel), hostinfo.sha256(archive), hostinfo.sha256(probe.SOURCE),
             str(os.access(DEVICE, os.R_OK | os.W_OK))]
    key = hashlib.sha256("\n".join(state).encode()).hexdigest()
    try:
        known = json.loads(CACHE.read_text())
        if known["key"] == key and isinstance(known["real"], bool):
            return known["real"], str(known["why"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    real, why = examine(kernel, archive)
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    draft = CACHE.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps({"key": key, "real": real, "why": why}) + "\n")
    draft.replace(CACHE)
    return real, why
