"""A kitchen-appliance plant: nine areas, 90 work units, about 1,400 tags, in four protocols.

Range hoods, gas hobs and dishwashers share sheet metal, welding and one coating shop, and part into assembly lines of
their own. High mix: lots of eight families, and set-ups that depend on what was made before. Read `catalogue` and
`plant`; everything else is shared with the other plants.
"""
