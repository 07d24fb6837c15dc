"""The commented file that ``zsad line init`` writes."""

EXAMPLE = """\
# A station of zsad: where parts come from, how they are judged, whom it tells.
#   zsad line check line.yaml     looks whether it can run, and says what is missing
#   zsad line run line.yaml       runs; --once ends when the source is drained, --ui adds a page
# Paths are relative to the folder of this file. Passwords are no part of it: they come from the environment
# (ZSAD_MQTT_PASSWORD, ZSAD_WEBHOOK_SECRET, ZSAD_CAMERA_USER, ZSAD_CAMERA_PASSWORD, ZSAD_TOKEN).

source:
  kind: folder            # or frames, video, camera, trigger
  path: parts             # each image file below it is a part, once it is whole
  # recursive: false
  # settle_ms: 200        # a file is whole when it has not changed for so long
  # after: keep           # or delete, once its verdict is recorded, for a station that runs for weeks; what could
  #                       not be looked at stays
# source: {kind: frames, path: sequence}                    numbered images, in natural order
# source: {kind: video, path: belt.mp4, every: 5}
# source: {kind: camera, address: "rtsp://10.0.0.5/stream"} or a number, such as "0"
# source: {kind: trigger, port: 7710, root: images}         a PLC sends {"part": "A17", "path": "a17.png"}, a line each;
#   repeat_s: 300           an id that comes again within so long is answered with its row, later it is reject

# model: bundle           # a bundle of `zsad fit`, an .onnx file, or a name; without it the bundled model
# device: cpu             # or cuda, tensorrt, an execution provider by its name; never another one instead
# thresholds: thresholds.json     # of `zsad calibrate`; without it parts are unjudged, which goes out as reject

decision:
  unjudged: reject        # how a part without a verdict goes out: reject or ok
  # budget_ms: 500        # a part that takes longer is late, and unjudged
  # min_area: 0.001       # smallest region that counts, as a fraction of the image
  # roi: [[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]]      polygons that count, in fractions
  # hysteresis: 0.02      # after a part that fired, thresholds are lower by this
  # k: 2                  # rejected if k of the last n parts fired
  # n: 3
  # model_changed: go_on  # or stop, when the model's file is exchanged under the station

sinks: []
#  - {kind: jsonl, path: parts.jsonl}
#  - {kind: csv, path: parts.csv}
#  - {kind: archive, path: archive, keep: reject, days: 30, gb: 10, overlays: true}
#  - {kind: mqtt, host: 10.0.0.2, user: station, tls: true}      topics zsad/STATION/parts, alarms, status
#  - {kind: opcua, host: 0.0.0.0, port: 4840}
#  - {kind: modbus, host: 0.0.0.0, port: 502, handshake: true}      without handshake each is shown for hold_ms: 100
#  - {kind: webhook, url: "https://mes.example/parts"}           signed with ZSAD_WEBHOOK_SECRET

# database: station.sqlite        # each part is a row of its table `parts`, exactly once
# keep_days: 365                  # older rows are removed; without it all stay
"""
