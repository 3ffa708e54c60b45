// Two automerge-repo repositories in one process: a first sync, a reconnect with nothing changed,
// and one with some documents changed.
//
// `node automerge-repo.mjs CHARTS CHANGED` reads a FHIR bundle a line from the file CHARTS and
// makes one document of each. It prints one JSON document a row.
import { EventEmitter } from "node:events"
import { readFileSync } from "node:fs"
import { cbor, NetworkAdapter, Repo } from "@automerge/automerge-repo"
import { chart, mostResident, print, quiet } from "./work.mjs"

// One end of a connection within the process. Messages are encoded as on a real one, and counted.
class Counted extends NetworkAdapter {
  constructor(wire, way) {
    super()
    Object.assign(this, { wire, way })
  }

  isReady() {
    return true
  }

  async whenReady() {}

  connect(peerId, peerMetadata) {
    Object.assign(this, { peerId, peerMetadata })
    this.wire.ends[this.way] = this
    const { there, back } = this.wire.ends
    if (!there || !back) return
    for (const [one, other] of [[there, back], [back, there]]) {
      const { peerId, peerMetadata } = other
      queueMicrotask(() => one.emit("peer-candidate", { peerId, peerMetadata }))
    }
  }

  send(message) {
    const bytes = cbor.encode(message)
    this.wire[this.way] += bytes.length
    this.wire.last = performance.now()
    const other = this.wire.ends[this.way === "there" ? "back" : "there"]
    setImmediate(() => other.emit("message", cbor.decode(bytes)))
  }

  disconnect() {
    const other = this.wire.ends[this.way === "there" ? "back" : "there"]
    this.emit("peer-disconnected", { peerId: other.peerId })
  }
}

function connect(hill, river) {
  const wire = { there: 0, back: 0, last: performance.now(), ends: {} }
  hill.networkSubsystem.addNetworkAdapter(new Counted(wire, "there"))
  river.networkSubsystem.addNetworkAdapter(new Counted(wire, "back"))
  return wire
}

function cut(hill, river) {
  for (const repo of [hill, river]) {
    for (const adapter of [...repo.networkSubsystem.adapters]) {
      adapter.disconnect()
      repo.networkSubsystem.removeNetworkAdapter(adapter)
    }
  }
}

async function reconnect(hill, river, row) {
  const wire = connect(hill, river)
  await quiet(wire)
  print(row, { there: wire.there, back: wire.back })
  cut(hill, river)
}

const [charts, changed] = process.argv.slice(2)
EventEmitter.defaultMaxListeners = 0
const [hill, river] = ["hill", "river"].map(
  peerId => new Repo({ peerId, sharePolicy: async () => true }),
)
const handles = readFileSync(charts, "utf8")
  .split("\n")
  .filter(line => line)
  .map(line => hill.create({ resources: chart(line) }))

const begun = performance.now()
const wire = connect(hill, river)
for (const handle of handles) {
  const arrived = await river.find(handle.url)
  await arrived.whenReady()
}
const seconds = (performance.now() - begun) / 1000
await quiet(wire)
print("first", { seconds, there: wire.there, back: wire.back })
print("resident", { both: mostResident() })
cut(hill, river)

await reconnect(hill, river, "nothing")
handles.slice(0, Number(changed)).forEach((handle, number) => {
  handle.change(document => {
    document.resources[`Observation/changed-${number}`] = {
      resourceType: '"Observation"',
      status: '"final"',
      valueString: '"seen today: better, to come again in a week"',
    }
  })
})
await reconnect(hill, river, "changed")
for (const handle of handles.slice(0, Number(changed))) {
  const arrived = await river.find(handle.url)
  if (String(arrived.heads()) !== String(handle.heads())) throw new Error("it did not arrive")
}
process.exit(0)
