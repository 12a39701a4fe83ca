"""The height above ground where the map tells of terrain: the vehicle's height above sea level
minus the ground's below it, without what is known to be wrong with their difference.

Barometers drift and elevation models lie too high or too low, so the difference is anchored:
on the ground while the vehicle is disarmed, which is height above home plus the terrain there;
where that was not heard, as Pilotage began in the air, at the autopilot's origin; else by what
height above home says over a map that is nearly level. The rangefinder goes on correcting it,
and what is left the matches take out (`flight_calibration`). The place where the autopilot says
that it stands may be a spoofer's: where several matches contradict the height, they are believed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from onboard.autopilot.heights import HOME_SIGMA_M, MEASURED, TERRAIN
from onboard.geodesy import distance_m
from onboard.ground.bias_by_matches import SaidBias
from onboard.ground.doubtful_ground import DoubtfulGround, doubtful_ground
from onboard.ground.ground_below import GroundBelow, Spread
from onboard.ground.match_place import MATCHED_PLACE_SIGMA_M, match_place
from onboard.ground.relief import Relief
from onboard.ground.terrain_bias import (
    AGREES_SIGMAS,
    AMSL_SIGMA_M,
    Anchor,
    Bias,
    TerrainBias,
    drifted,
)
from onboard.messages import Event, HeightUsed, Match, Prior, View
from onboard.pack.map_pack import MapPack
from onboard.telemetry_messages import (
    AutopilotPosition,
    Height,
    LocalOrigin,
    VehicleState,
)

MAP_TERRAIN = "map terrain"
NOT_ABOVE_HOME = (*MEASURED, TERRAIN)

STANDING_SIGMA_M = 3.0  # a disarmed vehicle stands on the ground, a wall or a car
ORIGIN_SIGMA_M = 5.0  # the autopilot's local frame begins where it first knew its place: on ground
STARTING_PLACE_SIGMA_M = 5.0  # of the autopilot's position then
BEAM_SIGMA_M = 3.0  # a beam meets one spot: a house or a tree is not the ground around
SCALE_SIGMA, SCALE_ERROR_SHARE = 0.02, 0.25  # of a match's scale, and of how far that is from 1
# The hills between home and vehicle where no ground of the map is known: who packs terrain flies
# over some. A ridge is twice as high, and stays within two sigma.
UNKNOWN_HILLS_M = 100.0


def height_above_terrain(pack: MapPack) -> HeightAboveTerrain | None:
    """For one flight over the pack; None where it tells of no terrain."""
    if pack.terrain is None:
        return None
    return HeightAboveTerrain(GroundBelow(pack.terrain, pack.bounds))


@dataclass(frozen=True)
class Asked:
    """A height that is asked for, with what was heard until then and not looked up yet."""

    told: Height
    prior: Prior | None
    stood: AutopilotPosition | None
    origin: LocalOrigin | None
    home_amsl_m: float | None
    plane_doubt_m: float


class HeightAboveTerrain:
    """One flight's. `hear`, `ask` and `hear_match` are quick: under the navigator's lock. The
    others read terrain, and a disk may take its time: the frame thread's, outside that lock."""

    def __init__(self, ground: GroundBelow) -> None:
        self._ground = ground
        self._is_disarmed = False
        self._stood: AutopilotPosition | None = None  # not asked with yet
        self._origin: LocalOrigin | None = None  # not asked with yet
        self._origin_at: tuple[float, float, float] | None = None  # of the last one heard
        self._home_amsl_m: float | None = None
        self._bias = TerrainBias()

    def hear(self, event: Event) -> None:
        """Where the vehicle stands before it flies."""
        if isinstance(event, VehicleState):
            self._is_disarmed = not event.armed
        elif isinstance(event, AutopilotPosition) and _is_number(event):
            self._home_amsl_m = event.amsl_m - event.above_home_m
            if self._is_disarmed:
                self._stood = event
        elif isinstance(event, LocalOrigin) and _is_number(event):
            place = event.lat_deg, event.lon_deg, event.amsl_m
            if place != self._origin_at:  # told every second: the barometer drifts on meanwhile
                self._origin, self._origin_at = event, place

    def relief(self, prior: Prior | None) -> Relief | None:
        """The slopes around the vehicle; None while nobody knows where it is."""
        return Relief(self._ground, prior) if prior else None

    def doubt(self, height: Height, prior: Prior | None) -> DoubtfulGround | None:
        """The ground, where it is in doubt. height: `height`'s answer for that prior."""
        return doubtful_ground(self._ground, height, prior, height.source == MAP_TERRAIN)

    def ask(self, told: Height, prior: Prior | None, plane_doubt_m: float = 0.0) -> Asked:
        """For `answer`. told: at the exposure, as telemetry has it. prior: where the vehicle may
        be; None while it is lost, then it is somewhere over the map. plane_doubt_m: of a height
        above home where no ground is known (`Telemetry.across_sources_m`)."""
        asked = Asked(told, prior, self._stood, self._origin, self._home_amsl_m, plane_doubt_m)
        self._stood = self._origin = None
        return asked

    def height(
        self, told: Height, prior: Prior | None, plane_doubt_m: float = 0.0
    ) -> tuple[Height, HeightUsed]:
        """`ask` and `answer` in a row."""
        return self.answer(self.ask(told, prior, plane_doubt_m))

    def answer(self, asked: Asked) -> tuple[Height, HeightUsed]:
        """Above the ground. In the order in which it was asked; what is heard since doesn't
        count."""
        height, below, differs_m = self._above(asked)
        return height, HeightUsed(
            height.agl_m,
            height.sigma_m,
            height.source,
            below.mean_m if below else None,
            self._bias.now.m if below else None,
            differs_m,
            self._ground.take_problem(),
        )

    def ground_at(self, match: Match, view: View) -> Spread | None:
        """Where a view was found; None where that isn't known."""
        place = match_place(match, view)
        if not all(map(math.isfinite, place)):
            return None
        return self._ground.under(Prior(*place, MATCHED_PLACE_SIGMA_M))

    def with_problem(self, used: HeightUsed) -> HeightUsed:
        """What could not be read since the frame's height was made, if nothing before."""
        problem = self._ground.take_problem()
        return replace(used, problem=used.problem or problem)

    def hear_match(
        self,
        used: HeightUsed,
        told: Height,
        amsl_m: float | None,
        view: View,
        match: Match,
        below: Spread,
        fits: bool,
        prior: Prior | None,
    ) -> float:
        """Where a view was found, and at which scale. used, amsl_m: the height it was made with;
        told: as telemetry has it. below: the ground there. fits: the scale is right; else it was
        refused for that alone. prior: where the vehicle may be, by now. Returns by how much
        heights are higher from now on, mostly by nothing."""
        if amsl_m is None or not math.isfinite(match.scale):
            return 0.0
        place = match_place(match, view)
        off = match.scale - 1.0
        seen_m = used.agl_m + off * view.agl_m
        apart_m = math.hypot(self._ground.sigma_m, below.sigma_m, SCALE_SIGMA * view.agl_m)
        sigma_m = math.hypot(apart_m, SCALE_ERROR_SHARE * off * view.agl_m)
        is_there = None
        if prior is not None:
            away_m = distance_m(prior.lat_deg, prior.lon_deg, *place)
            is_there = away_m <= AGREES_SIGMAS * prior.sigma_m
        bias_m = amsl_m - below.mean_m - seen_m
        said = SaidBias(view.time_ns, bias_m, sigma_m, apart_m, place)
        beam_m = math.hypot(told.sigma_m, BEAM_SIGMA_M, SCALE_SIGMA * view.agl_m)
        is_ranged = told.source in MEASURED and abs(seen_m - told.agl_m) <= AGREES_SIGMAS * beam_m
        return -self._bias.match(said, fits, is_there, is_ranged)

    def _above(self, asked: Asked) -> tuple[Height, Spread | None, float | None]:
        told, prior = asked.told, asked.prior
        self._bias.drift(told.time_ns)
        self._anchor_where_it_began(asked.stood, asked.origin)
        over_map = self._ground.over_map
        is_measured = told.source in MEASURED
        if is_measured and prior is None:
            return told, None, None
        below = self._ground.under(prior) if prior else over_map
        amsl_m = _amsl_m(asked)
        if amsl_m is None or below is None:
            # The plane above home, and the hills that it leaves out.
            hills_m = over_map.sigma_m if over_map else UNKNOWN_HILLS_M
            if told.source in NOT_ABOVE_HOME:
                return told, None, None
            sigma_m = math.hypot(told.sigma_m, hills_m, asked.plane_doubt_m)
            return replace(told, sigma_m=sigma_m), None, None
        is_anchored = self._bias.anchor is not Anchor.SEA_LEVEL
        if over_map and not is_anchored and told.source not in NOT_ABOVE_HOME:
            self._anchor_by_home(amsl_m - told.agl_m, over_map)
        model_m = math.hypot(self._ground.sigma_m, below.sigma_m)
        doubt_m2 = 0.0 if is_measured else max(0.0, told.sigma_m**2 - HOME_SIGMA_M**2)

        def by_terrain() -> Height:
            return replace(
                told,
                agl_m=amsl_m - below.mean_m - self._bias.now.m,
                amsl_m=amsl_m,
                sigma_m=math.sqrt(model_m**2 + self._bias.now.variance_m2 + doubt_m2),
                source=MAP_TERRAIN,
            )

        terrain = by_terrain()
        if not is_measured:
            return terrain, below, None
        beam_m = math.hypot(told.sigma_m, BEAM_SIGMA_M)
        differs_m = terrain.agl_m - told.agl_m
        if not self._bias.measure(told.time_ns, differs_m, model_m, beam_m):
            sigma_m = math.hypot(terrain.sigma_m, differs_m)
            return replace(terrain, sigma_m=sigma_m), below, differs_m
        return _both(by_terrain(), told, beam_m), below, differs_m

    def _anchor_where_it_began(
        self, stood: AutopilotPosition | None, origin: LocalOrigin | None
    ) -> None:
        if stood is not None:
            place = Prior(stood.lat_deg, stood.lon_deg, STARTING_PLACE_SIGMA_M)
            bias = self._bias_at(place, stood.amsl_m, STANDING_SIGMA_M)
            self._bias.anchor_at(Anchor.STANDING, bias)
        if origin is not None:
            place = Prior(origin.lat_deg, origin.lon_deg, STARTING_PLACE_SIGMA_M)
            bias = self._bias_at(place, origin.amsl_m, ORIGIN_SIGMA_M)
            # One far from the ground was set by hand, and tells nothing.
            if bias is not None and abs(bias.m) <= AGREES_SIGMAS * AMSL_SIGMA_M:
                self._bias.anchor_at(Anchor.ORIGIN, drifted(bias, origin.set_within_s or 0.0))

    def _bias_at(self, place: Prior, amsl_m: float, sigma_m: float) -> Bias | None:
        """Of a vehicle on the ground there; None where that isn't known."""
        below = self._ground.under(place)
        if below is None:
            return None
        return Bias(amsl_m - below.mean_m, sigma_m**2 + below.sigma_m**2)

    def _anchor_by_home(self, home_amsl_m: float, over_map: Spread) -> None:
        """Of a flight whose start nobody saw (a log's, photographs'). Home lies somewhere on the
        map: over level ground that says more than the height above sea level, and the two can't
        be far apart, or that is counted from elsewhere."""
        away_m = home_amsl_m - over_map.mean_m
        away_m2 = over_map.sigma_m**2 + HOME_SIGMA_M**2
        share = AMSL_SIGMA_M**2 / (AMSL_SIGMA_M**2 + away_m2)
        if abs(away_m) > AGREES_SIGMAS * math.sqrt(AMSL_SIGMA_M**2 + away_m2):
            share = 1.0
        self._bias.anchor_at(Anchor.LEVEL_GROUND, Bias(share * away_m, share * away_m2))


def _amsl_m(asked: Asked) -> float | None:
    told, home_amsl_m = asked.told, asked.home_amsl_m
    if told.amsl_m is not None or home_amsl_m is None or told.source in NOT_ABOVE_HOME:
        return told.amsl_m
    return home_amsl_m + told.agl_m


def _both(terrain: Height, told: Height, beam_m: float) -> Height:
    """The two heights made one, each by its variance."""
    share = terrain.sigma_m**2 / (terrain.sigma_m**2 + beam_m**2)
    return replace(
        told,
        agl_m=terrain.agl_m + share * (told.agl_m - terrain.agl_m),
        amsl_m=terrain.amsl_m,
        sigma_m=math.sqrt(share) * beam_m,
    )


def _is_number(place: AutopilotPosition | LocalOrigin) -> bool:
    above_home_m = place.above_home_m if isinstance(place, AutopilotPosition) else 0.0
    numbers = (place.lat_deg, place.lon_deg, place.amsl_m, above_home_m)
    return all(map(math.isfinite, numbers))
