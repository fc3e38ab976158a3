"""What is needed to run Groundswell as a service; `deploy/README.md` says how."""
