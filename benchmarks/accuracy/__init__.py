"""How well other ways of recognising emotion do on the very splits that the VRNN is measured on."""
