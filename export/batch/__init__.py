"""Bulk recognition on a cluster or all cores: an Apache Beam pipeline around an exported model.

`command` is `ser-keras batch`; `beam_options` are the options that Beam has itself. In the order of
the data: `inputs` (globs and manifests to items), `reading` (items to sound), `handler` (the
model), `outputs` (lines to files), and `pipeline`, which joins them; `attempts` runs it.
`features_command` is `ser-keras features`, by `features` through Beam.
"""
