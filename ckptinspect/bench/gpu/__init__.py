"""The device behind the loads to a GPU: six calls, and what answers them."""
