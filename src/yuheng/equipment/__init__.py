"""The ISA-95 equipment tree, classes, physical assets, map layout, shift calendars; import and export of plants."""
