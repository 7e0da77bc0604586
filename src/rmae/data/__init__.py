"""Images and regions on their way to the device."""
