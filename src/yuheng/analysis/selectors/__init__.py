"""Questions: reasons and stops, series, capsules, tables, saved views."""
