"""Charts as static SVG: Vega-Lite specifications, drawn while the report is written."""
