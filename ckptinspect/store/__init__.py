"""What outlives a run: headers by their content's hash, and the results of audits."""
