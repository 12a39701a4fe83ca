"""The link to the autopilot: open, its vehicle, steady, in time, signed."""

from __future__ import annotations

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.autopilot.streams import needed_streams
from onboard.flight_settings import Output
from tools.doctor.autopilot_session import AutopilotSession
from tools.doctor.check import Check, Finding, NotAsked, failure, good, skipped, warning
from tools.doctor.subject import Subject

COUNTED_S = 2.0
MIN_RATE_SHARE = 0.7
# What flight can't do without: attitude and height at the exposure, and the receiver.
NEEDED = ("ATTITUDE", "GLOBAL_POSITION_INT", "GPS_RAW_INT")
SLOW_TRIP_S, UNSTEADY_S = 0.1, 0.05
OLDEST_ARDUPILOT = (4, 6)  # what was flown; see the presets
LOCAL_FRAME = (Output.ODOMETRY, Output.VISION_POSITION)


def opens(subject: Subject) -> Finding:
    session = subject.autopilot.get()
    return good(f"{session.settings.address} can be opened")


def heartbeat(subject: Subject) -> Finding:
    session = subject.autopilot.needed()
    if session.heartbeat() is not None:
        return good(f"system {session.link.system_id} answers")
    address, counts = session.settings.address, session.link.counts
    if counts.refused:
        return failure(
            f"{counts.refused} messages came, unsigned or signed with another key",
            "give the autopilot's key as [link] signing_key_file",
        )
    if counts.foreign:
        return failure(
            f"{counts.foreign} messages came, none of the autopilot of system "
            f"{session.settings.system_id or 'any'}",
            "[link] system_id = the vehicle's SYSID_THISMAV (MAV_SYS_ID)",
        )
    if counts.bad_bytes:
        return failure(
            f"{counts.bad_bytes} bytes came that are no MAVLink",
            f"[link] baud = the port's (now {session.settings.baud}), SERIALn_PROTOCOL = 2",
        )
    return failure(f"nothing comes on {address}", "see cable and address, and SERIALn_PROTOCOL = 2")


def autopilot(subject: Subject) -> Finding:
    session = speaking(subject)
    vehicle = session.vehicle()
    assert vehicle is not None
    version = version_of(session)
    number = " " + ".".join(map(str, version)) if version else ""
    armed = "armed" if vehicle.armed else "disarmed"
    said = f"{vehicle.autopilot} {vehicle.kind}{number}, {armed}"
    if vehicle.autopilot == "other":
        return warning(f"{said}: neither ArduPilot nor PX4", "use the output nmea")
    if vehicle.autopilot == "ardupilot" and version and version[:2] < OLDEST_ARDUPILOT:
        return warning(f"{said} is older than what was flown", "update to ArduPilot 4.6 or later")
    return good(said)


def system_id(subject: Subject) -> Finding:
    session = speaking(subject)
    if session.settings.system_id:
        return good(f"only system {session.settings.system_id} is listened to, as told")
    return good(f"system {session.link.system_id}, the first that was heard")


def streams(subject: Subject) -> list[Finding]:
    """Rates once asked for; and whether GPS_INPUT's receiver comes back as GPS2_RAW."""
    session = speaking(subject)
    vehicle = session.vehicle()
    assert vehicle is not None
    signs = session.settings.signing_key_file is not None
    asked = {
        s.message: s for s in needed_streams(vehicle, session.link.bytes_per_s, signs)
    }  # fmt: skip
    came = session.rates_hz({s.message_id: s.hz for s in asked.values()}, COUNTED_S)
    findings = []
    for name in NEEDED:
        hz, got = asked[name].hz, came.get(name, 0.0)
        said = f"{name} comes at {got:.1f} Hz, {hz:g} were asked for"
        if got == 0.0:
            mend = "see SERIALn_PROTOCOL = 2, and SERIALn_OPTIONS without 'don't forward'"
            findings.append(failure(said, mend, name))
        elif got < MIN_RATE_SHARE * hz:
            findings.append(warning(said, "a faster baud rate: SERIALn_BAUD = 921", name))
        else:
            findings.append(good(said, name))
    return [*findings, _echo(subject, came)]


def _echo(subject: Subject, came: dict[str, float]) -> Finding:
    if Output.GPS_INPUT not in subject.settings.needed().publish.outputs:
        return skipped("outputs do not hold gps_input")
    if came.get("GPS2_RAW"):
        return good("the autopilot has the second receiver that GPS_INPUT needs", "GPS2_RAW")
    return warning(
        "the autopilot has no second receiver (no GPS2_RAW): GPS_INPUT would go nowhere",
        "GPS2_TYPE = 14, then reboot the autopilot",
        "GPS2_RAW",
    )


def clock(subject: Subject) -> Finding:
    session = speaking(subject)
    measured = session.round_trip_s()
    if measured is None:
        return warning(
            "the autopilot does not answer TIMESYNC: times are those of arrival",
            "update the autopilot's firmware",
        )
    trip_s, spread_s = measured
    said = (
        f"TIMESYNC takes {trip_s * 1e3:.1f} ms there and back, offsets spread by "
        f"{spread_s * 1e3:.1f} ms"
    )
    if trip_s > SLOW_TRIP_S or spread_s > UNSTEADY_S:
        return warning(said, "a faster or less busy link")
    return good(said)


def signing(subject: Subject) -> Finding:
    session = speaking(subject)
    signed = session.settings.signing_key_file is not None
    if signed:
        return good("signed messages come, and ours are signed")
    if not session.settings.address.startswith("/dev/") and not _is_local(session):
        return warning(
            "messages travel unsigned over a network: anybody there can send as Pilotage does",
            "[link] signing_key_file, and SETUP_SIGNING from the ground station",
        )
    return good("unsigned, on this vehicle's own wire")


def origin(subject: Subject) -> Finding:
    session = speaking(subject)
    if not set(LOCAL_FRAME) & set(subject.settings.needed().publish.outputs):
        raise NotAsked("no output needs the local frame's origin")
    name = "GPS_GLOBAL_ORIGIN"
    told = session.ask_for(mavlink.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN, name)
    if told is None:
        return warning(
            "the EKF has no origin yet: local positions have to wait for it",
            "wait for a GNSS fix, or set it from the ground station (SET_GPS_GLOBAL_ORIGIN)",
        )
    return good(f"the EKF's origin is {told.latitude * 1e-7:.5f}, {told.longitude * 1e-7:.5f}")


def gnss(subject: Subject) -> Finding:
    session = speaking(subject)
    told = session.ask_for(mavlink.MAVLINK_MSG_ID_GPS_RAW_INT, "GPS_RAW_INT")
    if told is None:
        return warning("the autopilot tells of no GNSS receiver", "GPS1_TYPE = 1")
    said = f"receiver: fix type {told.fix_type}, {told.satellites_visible} satellites"
    if told.fix_type < 3:
        return warning(f"{said}: Pilotage can't calibrate itself before flight", "wait outdoors")
    return good(said)


def speaking(subject: Subject) -> AutopilotSession:
    """Raises NotAsked: no link, or nobody on it."""
    session = subject.autopilot.needed()
    if session.heartbeat() is None:
        raise NotAsked("needs the autopilot, which is silent")
    return session


def version_of(session: AutopilotSession) -> tuple[int, int, int] | None:
    """(major, minor, patch); None where it isn't told."""
    told = session.ask_for(mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION, "AUTOPILOT_VERSION")
    if told is None or not told.flight_sw_version:
        return None
    packed = int(told.flight_sw_version)
    return packed >> 24, packed >> 16 & 255, packed >> 8 & 255


def _is_local(session: AutopilotSession) -> bool:
    return any(name in session.settings.address for name in (":127.", ":localhost:"))


CHECKS = (
    Check("link.opens", opens),
    Check("link.heartbeat", heartbeat),
    Check("link.autopilot", autopilot),
    Check("link.system_id", system_id),
    Check("link.stream", streams),
    Check("link.clock", clock),
    Check("link.signing", signing),
    Check("link.origin", origin),
    Check("link.gnss", gnss),
)
