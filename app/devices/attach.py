"""Binding a stage to a device: what was asked for, what was tried, what is used."""

from app.domain.device import AttemptOutcome, DeviceAttempt, DeviceDecision, DeviceRequest, FallbackCode, Target

NO_NETWORK = "The plugin runs no network"


def decide_without_network(request: DeviceRequest) -> DeviceDecision:
    """Decide for a plugin that runs no network: it uses the CPU, and any other target asked for does not apply to it."""
    on_cpu = DeviceAttempt(Target.CPU, AttemptOutcome.USED, None, f"{NO_NETWORK}; its code runs on the CPU.")
    if request.target in (None, Target.CPU):
        return DeviceDecision(
            requested=str(request), used=Target.CPU, fallback=False, code=None, reason=on_cpu.reason,
            attempts=(on_cpu,), warmup_ms=None,
        )  # fmt: skip
    reason = f"{NO_NETWORK}, so {request} does not apply to it; its code runs on the CPU."
    skipped = DeviceAttempt(request.target, AttemptOutcome.SKIPPED, FallbackCode.NOT_APPLICABLE, f"{NO_NETWORK}.")
    return DeviceDecision(
        requested=str(request), used=Target.CPU, fallback=True, code=FallbackCode.NOT_APPLICABLE, reason=reason,
        attempts=(skipped, on_cpu), warmup_ms=None,
    )  # fmt: skip
