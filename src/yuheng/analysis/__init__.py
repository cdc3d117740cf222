"""Reading what happened: reasons of stops, trends, capsules, statistics, exports, saved views."""
