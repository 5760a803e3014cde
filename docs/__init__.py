"""What the site is made with: settings, and the scripts that write pages and pictures."""
