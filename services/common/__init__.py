"""What every service needs: settings, logging, the bus, the API server, health endpoints, start and stop."""
