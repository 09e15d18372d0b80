"""Wait until apps run, or are stopped: poll their instances and judge them."""
