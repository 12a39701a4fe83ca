"""A scenario from nothing to its end: autopilot set up, armed, flown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from onboard.autopilot.preset import Preset, WantedParameter, choose
from onboard.camera import Camera
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.flight import Equipment
from onboard.flight_settings import FlightSettings
from onboard.geodesy import distance_m, offset_latlon
from onboard.messages import Picture
from onboard.telemetry_messages import Attitude
from tools.sim.area import Area
from tools.sim.closed_loop import ClosedLoop, Flown, Render
from tools.sim.companion_side import CompanionSide
from tools.sim.double import Double, Home
from tools.sim.ground_station import GroundStation, Truth
from tools.sim.lockstep import InStep, Lockstep, Running, StoppedProcess
from tools.sim.prepare import READY_S, set_up, upload
from tools.sim.scenario import Scenario, SimulatedCamera
from tools.sim.scenes import Scene

COMPANION_PORT = 2  # SERIAL1 of the SITL lies this far above SERIAL0
TAKE_OFF_S = 300.0  # of wall time
HOME_NEAR_M = 5.0
WIND = ("SIM_WIND_SPD", "SIM_WIND_DIR")


@dataclass(frozen=True)
class Autopilot:
    """sitl: address of a running one, None for the double. pid: of its process here."""

    sitl: str | None = None
    pid: int | None = None
    plane: bool = False


def fly(
    scenario: Scenario,
    area: Area,
    describer: Describer,
    autopilot: Autopilot,
    out: Path,
    progress: Callable[[float], None] = lambda _: None,
) -> Flown:
    """Raises InputError: an autopilot that does not answer, is set up wrongly, is elsewhere."""
    scene = area.scene_of(scenario.rendering, scenario.seed)
    home = offset_latlon(*area.pack.centre, *scenario.mission.start_m)
    ground_m = scene.ground_amsl_m(*home)
    with ExitStack() as stack:
        reached = _reach(scenario, autopilot, home, ground_m, stack)
        station = _connect(scenario, reached.station, reached.idle)
        stack.callback(station.close)
        camera = camera_of(scenario.camera)
        takeover_file = out / "takeover.json"
        takeover_file.unlink(missing_ok=True)
        settings = FlightSettings(publish=scenario.publish, takeover=scenario.takeover)
        equipment = Equipment(settings, camera, area.pack, describer, None, takeover_file)
        side = CompanionSide(equipment, reached.companion, lambda: station.clock_ns)
        stack.callback(side.close)
        loop = ClosedLoop(
            scenario, station, side, _render(scene, camera), camera, area.pack, reached.lockstep
        )
        station.meanwhile = loop.step
        stack.callback(loop.finish)
        station.request_streams()
        _check_home(loop, station, home, ground_m)
        upload(station, scenario, home)
        station.set_mode("GUIDED")
        station.arm(READY_S)
        loop.start()
        station.take_off(scenario.mission.height_m, TAKE_OFF_S)
        station.set_mode("AUTO")
        while loop.at_s < scenario.seconds:
            loop.step()
            progress(loop.at_s)
        loop.flown.texts = station.texts
        return loop.flown


def camera_of(simulated: SimulatedCamera) -> Camera:
    return Camera(
        simulated.width_px,
        simulated.height_px,
        horizontal_fov_deg=simulated.horizontal_fov_deg,
        mounting=simulated.mounting,
    )


@dataclass(frozen=True)
class _Reached:
    """Addresses of the autopilot's first two serial ports. idle: what makes a double's clock
    move while it is set up."""

    station: str
    companion: str
    lockstep: Lockstep
    idle: Callable[[], object]


def _reach(
    scenario: Scenario,
    autopilot: Autopilot,
    home: tuple[float, float],
    ground_m: float,
    stack: ExitStack,
) -> _Reached:
    if autopilot.sitl is not None:
        pid = autopilot.pid
        lockstep: Lockstep = Running() if pid is None else StoppedProcess(pid)
        return _Reached(autopilot.sitl, _next_port(autopilot.sitl), lockstep, lambda: None)
    double = stack.enter_context(
        Double(
            plane=autopilot.plane,
            home=Home(*home, ground_m),
            parameters={p.name: p.value for p in _parameters(scenario, autopilot.plane)},
            seed=scenario.seed,
        )
    )
    station, companion, *_ = double.addresses
    return _Reached(station, companion, InStep(double), lambda: double.advance(0.1))


def _connect(scenario: Scenario, address: str, idle: Callable[[], object]) -> GroundStation:
    def connect() -> GroundStation:
        return GroundStation(address, idle=idle)

    station = connect()
    wanted = _parameters(scenario, station.is_plane)
    station.close()
    values = {p.name: p.value for p in wanted}
    rendering = scenario.rendering
    values |= dict(zip(WIND, (rendering.wind_m_s, rendering.wind_from_deg), strict=True))
    return set_up(connect, values, {p.name for p in wanted if p.needs_reboot})


def _parameters(scenario: Scenario, plane: bool) -> list[WantedParameter]:
    chosen: tuple[Preset, ...] = choose(
        "ardupilot", "plane" if plane else "copter", None, scenario.publish.outputs
    )
    return [parameter for preset in chosen[:1] for parameter in preset.parameters]


def _render(scene: Scene, camera: Camera) -> Render:
    def render(truth: Truth, light: float) -> Picture:
        return scene.picture(
            truth.lat_deg,
            truth.lon_deg,
            truth.amsl_m,
            Attitude(truth.time_ns, truth.roll, truth.pitch, truth.yaw),
            camera,
            (truth.velocity_north_m_s, truth.velocity_east_m_s),
            light,
        )

    return render


def _check_home(
    loop: ClosedLoop, station: GroundStation, home: tuple[float, float], ground_m: float
) -> None:
    """The vehicle must stand where the mission starts, on the scene's ground."""
    while not station.truth:
        loop.step()
    truth = station.truth[-1]
    off_m = distance_m(truth.lat_deg, truth.lon_deg, *home)
    if off_m > HOME_NEAR_M or abs(truth.amsl_m - ground_m) > HOME_NEAR_M:
        raise InputError(
            f"the simulated vehicle stands {off_m:.0f} m from the scenario's start, at "
            f"{truth.amsl_m:.0f} m instead of {ground_m:.0f} m; start the SITL with "
            f"--home {home[0]:.7f},{home[1]:.7f},{ground_m:.1f},0"
        )


def _next_port(address: str) -> str:
    """The companion's: SERIAL1."""
    head, _, port = address.rpartition(":")
    if not port.isdecimal():
        raise InputError(f"{address}: no port in it; give SITL's, as tcp:127.0.0.1:5760")
    return f"{head}:{int(port) + COMPANION_PORT}"
