# Writes the image that the archives hold, as an OCI layout: three layers, the third the same as the first, one name longer than 100.
import gzip, hashlib, io, json, os, sys, tarfile
out = sys.argv[1]
os.makedirs(out + "/blobs/sha256")
def put(b):
    h = hashlib.sha256(b).hexdigest()
    open(f"{out}/blobs/sha256/{h}", "wb").write(b)
    return "sha256:" + h, len(b)
def layer(files):
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode="w", format=tarfile.PAX_FORMAT) as t:
        for n, c in files:
            i = tarfile.TarInfo(n); i.size = len(c); i.mode = 0o644
            t.addfile(i, io.BytesIO(c))
    return b.getvalue()
tars = [layer([("srv/app.py", b"print('an application')\n" * 40)]),
        layer([("srv/" + "a-long-name-" * 10, b"x"), ("etc/conf", b"a=b\n" * 100)])]
tars.append(tars[0])
layers, diffs = [], []
for t in tars:
    d, n = put(gzip.compress(t, 9, mtime=0))
    layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": d, "size": n})
    diffs.append("sha256:" + hashlib.sha256(t).hexdigest())
cfg = json.dumps({"created": "2026-01-02T03:04:05Z", "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/srv/app.py"]},
    "rootfs": {"type": "layers", "diff_ids": diffs},
    "history": [{"created": "2026-01-02T03:04:05Z", "created_by": "COPY"}] * 3}).encode()
d, n = put(cfg)
m, k = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": d, "size": n}, "layers": layers}).encode())
open(out + "/index.json", "w").write(json.dumps({"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": m, "size": k, "annotations": {"org.opencontainers.image.ref.name": "v1"}}]}))
open(out + "/oci-layout", "w").write('{"imageLayoutVersion":"1.0.0"}')
print(d)
