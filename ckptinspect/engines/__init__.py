"""What runs batches of work: here, in processes beside this one, or on a cluster."""
