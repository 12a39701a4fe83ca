"""Before the flight: imagery -> tiles -> descriptors -> index -> map pack. Imports `onboard`."""
