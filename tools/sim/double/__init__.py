"""A test double of ArduPilot: MAVLink 2 over real sockets, behaving as measured flights say.

    with Double(parameters={"GPS2_TYPE": 14}) as double:
        station = connect(double.addresses[0])      # SERIAL0, tcp
        companion = connect(double.addresses[1])    # SERIAL1, tcp
        double.advance(45.0)                        # simulated seconds: it can be armed now
        double.start()                              # or: runs by itself at SIM_SPEEDUP
        ...
        double.hold(); render(double.body); double.release()

It looks like Copter (or Plane) 4.7.0-dev's SITL from outside: heartbeat, SET_MESSAGE_INTERVAL,
parameters by their names, arming checks, mission upload, GUIDED, AUTO, RTL, LAND, TIMESYNC,
SIM_STATE, signing, reboot by command. Faults are injected by SIM_GPS1_* as at the real one.
The same seed, steps and messages give the same flight. Where it differs: one EKF core (no lane
switches), a barometer and an attitude without fault, no batteries, radio or geofence.

The pieces: `wires` (sockets), `inbox` and `mission_protocol` (what it is told), `streams` and
`reports` (what it tells), `parameters`, `receivers` and `gps_choice` (GNSS), `aiding` over
`ekf` (its estimate), `ekf_check` (the failsafe), `pilot` over `mission_plan` (where it flies),
`autopilot` (one step of all that), `double` (the clock).
"""

from tools.sim.double.autopilot import Home
from tools.sim.double.double import Double

__all__ = ["Double", "Home"]
