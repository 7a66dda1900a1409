"""What people see: one folder for each section of the sidebar, and their shared parts."""
