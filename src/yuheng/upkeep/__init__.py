"""What keeps an installation healthy for years: certificates, backups taken, checks, forecasts. No Django."""
