"""The ground below as the map's terrain has it: height above it, and views over slopes."""
