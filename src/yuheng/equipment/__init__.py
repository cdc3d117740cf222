"""Equipment: the ISA-95 tree, physical assets, classes, layout of the plant map, shift calendars."""
