"""Deselects the receiver while it is jammed, spoofed or lost, and gives it back: the only place
that changes the autopilot in flight, and only where `[takeover] method` says so.

Under jamming ArduPilot bounces back onto the jammed receiver (errors of kilometres were
measured), so it must be told. `takeover_table` says what is done in which case.

Nothing is taken over on the ground. With publish.when 'on_spoof' only a spoofed receiver is
deselected, since otherwise no position is offered in its place; while Pilotage holds, the
publisher offers whatever it trusts (`Publisher(is_held=...)`). A change by hand is respected:
from then on nothing is written until the vehicle is disarmed. What was is on the disk before
the first change; a companion that starts anew goes on by the table.
"""

from __future__ import annotations

import math
from pathlib import Path

from onboard.autopilot.contract import Link
from onboard.errors import InputError
from onboard.flight_settings import (
    Output,
    PublishSettings,
    PublishWhen,
    TakeoverMethod,
    TakeoverSettings,
)
from onboard.geodesy import distance_m
from onboard.messages import Estimate, Event, GnssAssessment
from onboard.outputs.gps_input import GPS_ID
from onboard.outputs.moment import accuracy_m, is_trusted
from onboard.outputs.status_text import CRITICAL, NOTICE, WARNING, Announcer
from onboard.reasons import GnssState
from onboard.takeover.takeover_file import TakeoverFile
from onboard.takeover.takeover_parameters import ParameterSelector
from onboard.takeover.takeover_selection import Selection, Selector
from onboard.takeover.takeover_source_set import SourceSetSelector
from onboard.takeover.takeover_table import BAD, Wish, decide
from onboard.telemetry_messages import Gnss, VehicleState

RETRY_NS = 30_000_000_000  # after a takeover that failed
FRESH_NS = 5_000_000_000  # of a heartbeat
GNSS_AGE_NS = 1_500_000_000  # of a receiver's position that is compared
AGREES_M, AGREES_SIGMAS = 10.0, 3.0  # how far the receiver may be from us when it is given back


class Takeover:
    """A part of `companion.Companion`; give it to the companion before the publisher."""

    def __init__(
        self,
        link: Link,
        settings: TakeoverSettings,
        publish: PublishSettings,
        state_file: Path,
    ) -> None:
        """state_file: on a disk that outlives a restart. Raises InputError: settings that don't
        go together, a state file that can't be read."""
        check_takeover(settings, publish)
        self._bad = BAD if publish.when is not PublishWhen.ON_SPOOF else {GnssState.SPOOFED}
        file = TakeoverFile(state_file, settings.method)
        self._resumed = file.read() is not None
        self._selector = _selector(link, settings.method, file)
        self._announcer = Announcer(link)
        self._vehicle: VehicleState | None = None
        self._gnss: Gnss | None = None
        self._wish = Wish.STAY
        self._wish_since_ns = 0
        self._not_before_ns: int | None = None
        self._shown = Selection.UNKNOWN
        self._giving_up = False
        self._ending = False

    def end(self) -> None:
        """The companion is about to stop: nothing is taken over any more, and what is held is
        given back, whatever GNSS is worth. Go on calling `act` until `is_held` is False."""
        self._ending = True

    def is_held(self) -> bool:
        """Whether the autopilot has, or may have, no position but ours."""
        return self._selector is not None and self._selector.selection in (
            Selection.TAKING,
            Selection.PILOTAGE,
            Selection.GIVING,
        )

    def doubts_gnss(self) -> bool:
        """Whether the receiver is deselected, or was when the companion died: what looks good
        again may be the spoofer, and must not make our position."""
        unread = self._selector is not None and self._selector.selection is Selection.UNKNOWN
        return self.is_held() or (self._resumed and unread)

    def hear(self, event: Event) -> None:
        if isinstance(event, VehicleState):
            self._vehicle = event
        elif isinstance(event, Gnss) and event.receiver != GPS_ID:
            self._gnss = event
        if self._selector is not None:
            self._selector.hear(event)

    def act(self, now_ns: int, estimate: Estimate | None, gnss: GnssAssessment) -> None:
        """Does what the table says."""
        selector, vehicle = self._selector, self._vehicle
        if selector is None or vehicle is None:
            return
        if vehicle.autopilot != "ardupilot":
            self._say(CRITICAL, "Pilotage: takeover needs ArduPilot")
        elif 0 <= now_ns - vehicle.time_ns <= FRESH_NS:
            try:
                self._steer(selector, vehicle.armed, now_ns, estimate, gnss)
            except InputError:
                self._not_before_ns = now_ns + RETRY_NS
                self._say(CRITICAL, "Pilotage: no takeover, state file not written")
        self._announcer.act(now_ns)

    def _steer(
        self,
        selector: Selector,
        armed: bool,
        now_ns: int,
        estimate: Estimate | None,
        gnss: GnssAssessment,
    ) -> None:
        if armed:
            selector.remember()
        else:
            selector.forget()
        if self._ending and selector.selection is Selection.PILOTAGE:
            selector.give(now_ns)
        after_ns = self._wish_after(selector.selection, armed, now_ns, estimate, gnss)
        if self._ending:
            after_ns = None
        if after_ns is not None and now_ns - self._wish_since_ns >= after_ns:
            if self._wish is Wish.TAKE:
                self._take(selector, now_ns, gnss.state)
            else:
                selector.give(now_ns)
        selector.act(now_ns)
        self._watch_failure(selector, now_ns)
        self._tell(selector)

    def _wish_after(
        self,
        selection: Selection,
        armed: bool,
        now_ns: int,
        estimate: Estimate | None,
        gnss: GnssAssessment,
    ) -> int | None:
        """How long the wish must have lasted; None while there is none."""
        trusted = is_trusted(estimate)
        self._resumed = self._resumed and not trusted
        agrees = trusted and estimate is not None and self._agrees(estimate, now_ns)
        wish, after_ns = decide(
            selection,
            armed,
            trusted,
            gnss.state in self._bad,
            gnss.state,
            agrees,
            self._resumed,
        )
        if wish is not self._wish:
            self._wish, self._wish_since_ns = wish, now_ns
        return None if wish is Wish.STAY else after_ns

    def _take(self, selector: Selector, now_ns: int, state: GnssState) -> None:
        if self._not_before_ns is not None and now_ns < self._not_before_ns:
            return
        obstacle = selector.obstacle()
        if obstacle is not None:
            self._say(CRITICAL, f"Pilotage: no takeover, {obstacle}")
            return
        self._say(WARNING, f"Pilotage: GNSS {state.value}, taking over")
        selector.take(now_ns)

    def _watch_failure(self, selector: Selector, now_ns: int) -> None:
        if selector.failure is None:
            return
        if selector.selection is Selection.TAKING:
            self._say(CRITICAL, f"Pilotage: takeover failed, {selector.failure}")
            self._not_before_ns = now_ns + RETRY_NS
            self._giving_up = True
            selector.give(now_ns)
        elif not self._giving_up:
            self._say(CRITICAL, f"Pilotage: not given back, {selector.failure}")

    def _tell(self, selector: Selector) -> None:
        selection = selector.selection
        if selection is self._shown:
            return
        before, self._shown = self._shown, selection
        if selection is Selection.PILOTAGE:
            self._say(WARNING, "Pilotage: autopilot flies by Pilotage")
        elif selection is Selection.GIVING and not self._giving_up:
            self._say(NOTICE, "Pilotage: giving the receiver back")
        elif selection is Selection.FOREIGN:
            self._say(WARNING, "Pilotage: changed by hand, hands off")
        elif selection is Selection.OWN and before is not Selection.UNKNOWN:
            if not self._giving_up:
                self._say(NOTICE, "Pilotage: receiver selected again")
            self._giving_up = False

    def _agrees(self, estimate: Estimate, now_ns: int) -> bool:
        gnss = self._gnss
        if gnss is None or not gnss.has_fix or not 0 <= now_ns - gnss.time_ns <= GNSS_AGE_NS:
            return False
        since_s = (estimate.time_ns - gnss.time_ns) * 1e-9
        moved_m = since_s * math.hypot(estimate.velocity_north_m_s, estimate.velocity_east_m_s)
        sigma_m = math.hypot(accuracy_m(estimate), gnss.sigma_m)
        apart_m = distance_m(estimate.lat_deg, estimate.lon_deg, gnss.lat_deg, gnss.lon_deg)
        return apart_m <= max(AGREES_M, AGREES_SIGMAS * sigma_m) + abs(moved_m)

    def _say(self, severity: int, text: str) -> None:
        self._announcer.say("takeover", severity, text)


def check_takeover(settings: TakeoverSettings, publish: PublishSettings) -> None:
    """Raises InputError: the output that the autopilot would be left with is not sent."""
    outputs = set(publish.outputs)
    if settings.method is TakeoverMethod.GPS_PRIMARY and Output.GPS_INPUT not in outputs:
        raise InputError("takeover.method 'gps_primary' needs 'gps_input' in publish.outputs; add")
    local = {Output.ODOMETRY, Output.VISION_POSITION}
    if settings.method is TakeoverMethod.SOURCE_SET and not outputs & local:
        raise InputError(
            "takeover.method 'source_set' needs 'odometry' or 'vision_position' in "
            "publish.outputs; add one"
        )


def _selector(link: Link, method: TakeoverMethod, file: TakeoverFile) -> Selector | None:
    if method is TakeoverMethod.GPS_PRIMARY:
        return ParameterSelector(link, file)
    if method is TakeoverMethod.SOURCE_SET:
        return SourceSetSelector(link, file)
    return None
