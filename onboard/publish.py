"""Estimates into what the autopilot is sent: the configured outputs at their rates, HEARTBEAT,
STATUSTEXT.

Every message carries the position forward to the moment it is sent; the autopilot knows nothing
of the fix's age. A position that isn't trusted is never offered. GPS_INPUT goes out at 10 Hz in
any case, with fix_type 1 where no position is offered: its receiver must be healthy for ArduPilot
to switch to it within a second. On the ground ArduPilot refuses to arm while a configured
receiver has no fix ("GPS 2: Bad fix"), so the policy (`PublishWhen`) counts from arming on: a
disarmed vehicle is told every trusted position.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from onboard.autopilot.contract import Link
from onboard.errors import InputError
from onboard.flight_settings import Output, PublishSettings
from onboard.messages import Estimate, Event, GnssAssessment
from onboard.outputs.external_position import external_position
from onboard.outputs.global_position import global_position, require_dialect
from onboard.outputs.gps_input import gps_input
from onboard.outputs.heartbeat import heartbeat
from onboard.outputs.jumps import Jumps
from onboard.outputs.local_frame import missing
from onboard.outputs.moment import Moment, is_sound
from onboard.outputs.moment import is_trusted as is_trusted
from onboard.outputs.nmea import nmea
from onboard.outputs.odometry import odometry
from onboard.outputs.policy import Policy
from onboard.outputs.status_text import CRITICAL, INFO, NOTICE, WARNING, Announcer
from onboard.outputs.vision_position import vision_position
from onboard.reasons import GnssState, Mode
from onboard.telemetry_messages import Attitude, LocalOrigin, VehicleState

PERIOD_NS = 100_000_000  # 10 Hz; ArduPilot refuses to arm below about 5
HEARTBEAT_NS = 1_000_000_000
VEHICLE_AGE_NS = 5_000_000_000  # an older heartbeat doesn't tell whether it is armed
SILENT_NS = 3_000_000_000  # three heartbeats: in between the autopilot may have rebooted

MAKERS: dict[Output, tuple[Callable[[Moment], Any | None], int]] = {
    Output.GPS_INPUT: (gps_input, PERIOD_NS),
    Output.ODOMETRY: (odometry, PERIOD_NS),
    Output.VISION_POSITION: (vision_position, PERIOD_NS),
    Output.GLOBAL_POSITION: (global_position, 2 * PERIOD_NS),
    Output.EXTERNAL_POSITION: (external_position, 20 * PERIOD_NS),  # each one resets the EKF
    Output.NMEA: (nmea, 2 * PERIOD_NS),
}
LOCAL_OUTPUTS = (Output.ODOMETRY, Output.VISION_POSITION)
MODE_TEXTS = {
    Mode.TRACKING: (NOTICE, "Pilotage: has a position"),
    Mode.COASTING: (WARNING, "Pilotage: no fix, coasting"),
    Mode.LOST: (CRITICAL, "Pilotage: position lost"),
}
SEARCHING = (INFO, "Pilotage: no position yet")
GNSS_SEVERITIES = {
    GnssState.GOOD: NOTICE,
    GnssState.DEGRADED: WARNING,
    GnssState.LOST: CRITICAL,
    GnssState.JAMMED: CRITICAL,
    GnssState.SPOOFED: CRITICAL,
}


class Publisher:
    """A part of `companion.Companion`: called every PERIOD_NS of the caller's clock, the log's
    in replay, the monotonic one in flight."""

    def __init__(
        self,
        link: Link,
        settings: PublishSettings | None = None,
        utc_minus_clock_ns: int | None = None,
        nmea_link: Link | None = None,
        is_held: Callable[[], bool] = lambda: False,
        height_said: Callable[[], tuple[int, str] | None] = lambda: None,
    ) -> None:
        """utc_minus_clock_ns: Unix time minus the caller's clock, where known. nmea_link is
        given NMEA's bytes. is_held: `takeover.Takeover.is_held`; while the autopilot has no
        position but ours, the policy withholds none. height_said: `loop.Navigator.height_said`.
        Raises InputError: outputs that can't be had, or not together."""
        self._settings = settings or PublishSettings()
        _check(self._settings, nmea_link)
        self._link = link
        self._is_held, self._height_said = is_held, height_said
        self._nmea_link = nmea_link
        self._now = Moment(0, utc_minus_clock_ns=utc_minus_clock_ns)
        self._announcer = Announcer(link)
        self._due_ns: dict[Output, int] = {}
        self._heartbeat_ns: int | None = None
        self._mode: Mode | None = None
        self._policy = Policy(self._settings.when)
        self._jumps = Jumps()
        self._origin_place: tuple[float, float, float] | None = None

    def hear(self, event: Event) -> None:
        """Keeps what the messages are made of."""
        if isinstance(event, Attitude):
            self._now = replace(self._now, attitude=event)
        elif isinstance(event, VehicleState):
            if self._may_have_rebooted(event):  # its origin is another one then
                self._now = replace(self._now, origin=None)
            self._now = replace(self._now, vehicle=event)
        elif isinstance(event, LocalOrigin):
            place = (event.lat_deg, event.lon_deg, event.amsl_m)
            if self._origin_place not in (None, place):
                self._count_reset()
            self._origin_place = place
            self._now = replace(self._now, origin=event)

    def act(self, now_ns: int, estimate: Estimate | None, gnss: GnssAssessment) -> None:
        """Sends what is due, as of now."""
        sound = estimate if estimate is not None and is_sound(estimate) else None
        if self._jumps.is_one(sound):
            self._count_reset()
        wanted = self._policy.wants(now_ns, gnss) or self._is_disarmed(now_ns) or self._is_held()
        offered = wanted and is_trusted(sound)
        self._now = replace(self._now, now_ns=now_ns, estimate=sound, offered=offered)
        mode = sound.mode if sound is not None else Mode.LOST
        if _is_due(self._heartbeat_ns, now_ns):
            self._heartbeat_ns = now_ns + HEARTBEAT_NS
            self._link.send(heartbeat(mode is not Mode.LOST))
        for output in self._settings.outputs:
            self._send(output, now_ns)
        self._announce(mode, gnss)
        self._announcer.act(now_ns)

    def _send(self, output: Output, now_ns: int) -> None:
        if not _is_due(self._due_ns.get(output), now_ns):
            return
        make, period_ns = MAKERS[output]
        message = make(self._now)
        if message is None:
            return
        self._due_ns[output] = now_ns + period_ns
        to = self._nmea_link if output is Output.NMEA else self._link
        if to is not None:
            to.send(message)

    def _announce(self, mode: Mode, gnss: GnssAssessment) -> None:
        if mode is not self._mode:
            starting = self._mode is None and mode is Mode.LOST
            self._announcer.say("mode", *(SEARCHING if starting else MODE_TEXTS[mode]))
            self._mode = mode
        if gnss.state in GNSS_SEVERITIES:
            text = f"Pilotage: GNSS {gnss.state.value}"
            self._announcer.say("gnss", GNSS_SEVERITIES[gnss.state], text)
        said = self._height_said()
        if said is not None:
            self._announcer.say("height", *said)
        if self._now.offered and any(o in self._settings.outputs for o in LOCAL_OUTPUTS):
            lacking = missing(self._now)
            if lacking is not None:
                self._announcer.say("local", WARNING, f"Pilotage: waits for {lacking}")

    def _is_disarmed(self, now_ns: int) -> bool:
        vehicle = self._now.vehicle
        if vehicle is None or now_ns - vehicle.time_ns > VEHICLE_AGE_NS:
            return False
        return not vehicle.armed

    def _may_have_rebooted(self, vehicle: VehicleState) -> bool:
        """After a silence, or disarmed all at once: the origin must be heard again."""
        before = self._now.vehicle
        if before is None:
            return False
        silent = vehicle.time_ns - before.time_ns > SILENT_NS
        return silent or (before.armed and not vehicle.armed)

    def _count_reset(self) -> None:
        self._now = replace(self._now, reset_counter=(self._now.reset_counter + 1) % 256)


def _is_due(due_ns: int | None, now_ns: int) -> bool:
    """Half a period early is in time: ticks jitter. A clock that was set back waits for no one."""
    if due_ns is None:
        return True
    return now_ns >= due_ns - PERIOD_NS // 2 or due_ns - now_ns > 10 * HEARTBEAT_NS


def _check(settings: PublishSettings, nmea_link: Link | None) -> None:
    outputs = set(settings.outputs)
    if not outputs:
        raise InputError("publish.outputs: is empty; give at least one, as 'gps_input'")
    if Output.GLOBAL_POSITION in outputs:
        require_dialect()
    if Output.NMEA in outputs and nmea_link is None:
        raise InputError("publish.outputs: 'nmea' needs publish.nmea_address; give one")
    local = outputs.intersection(LOCAL_OUTPUTS)
    if Output.EXTERNAL_POSITION in outputs and local:
        raise InputError(
            f"publish.outputs: 'external_position' and '{min(o.value for o in local)}' stamp by "
            "different clocks, and ArduPilot keeps one for both; give one of them"
        )
    if len(local) > 1:
        raise InputError(
            "publish.outputs: 'odometry' and 'vision_position' tell the same twice; give one"
        )
