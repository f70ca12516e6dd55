// Reads the report of a run as JSON on stdin and prints a line for each act, injection and invariant.
const report = JSON.parse(require("fs").readFileSync(0, "utf8"));
const tell = (good, what, why) => console.log((good ? "ok " : "not ok ") + what + (good ? "" : ": " + why));

for (const act of report.acts) {
	tell(act.valid === true, `act ${act.name}`, act.verdict.why);
	for (const bout of act.bouts)
		tell(bout.witnesses > 0 && bout.broken === null, `${act.name} ${bout.bout} ${bout.fault}`,
			bout.broken ?? "nothing shows that it bit");
	for (const skipped of act.skipped)
		console.log(`skip ${act.name} ${skipped.fault}: ${skipped.reason}`);
}
for (const [name, invariant] of Object.entries(report.verdict.invariants))
	tell(invariant.count === 0, `${name} ${invariant.name}`, invariant.examples[0]);
