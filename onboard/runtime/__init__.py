"""A live flight: threads, service watchdog, restart, the machine it runs on."""
