#!/usr/bin/env bash
# Makes the archives anew: make.sh FOLDER, a folder that does not exist yet. README.md says by which tools, which have to be installed;
# dockerd wants root, and port 5000 has to be free. The times in the archives, and what hangs on them, differ from the stored ones.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir "$1" "$1/a"
cd "$1"
top=$PWD out=$PWD/a
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
python3 "$here/seed.py" seed

# skopeo
copy() { skopeo copy -q --insecure-policy "$@"; }
copy oci:seed:v1 "docker-archive:$out/skopeo-docker-archive.tar:app:v1"
copy oci:seed:v1 "docker-archive:$out/skopeo-docker-archive-untagged.tar"
copy oci:seed:v1 "oci-archive:$out/skopeo-oci-archive.tar:v1"
copy oci:seed:v1 "oci-archive:$out/skopeo-oci-archive-unnamed.tar"
copy --dest-compress-format zstd oci:seed:v1 "oci-archive:$out/skopeo-oci-archive-zstd.tar:v1"
copy --format v2s2 oci:seed:v1 oci:v2s2:v1
tar cf "$out/skopeo-oci-v2s2.tar" -C v2s2 .
copy oci:seed:v1 dir:dir
tar cf "$out/skopeo-dir.tar" -C dir .

# crane, from a registry
printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s/registry}}\nhttp: {addr: "localhost:5000"}\n' \
  "$top" > registry.yml
docker-registry serve registry.yml > registry.log 2>&1 &
registry=$!
sleep 2
copy --dest-tls-verify=false oci:seed:v1 docker://localhost:5000/app:v1
for form in tarball legacy; do crane pull --insecure --format=$form localhost:5000/app:v1 "$out/crane-$form.tar"; done
crane pull --insecure --format=oci localhost:5000/app:v1 crane
tar cf "$out/crane-oci.tar" -C crane .
crane pull --insecure --format=oci --annotate-ref localhost:5000/app:v1 annotated
(cd annotated && tar cf "$out/crane-oci-annotated.tar" -- *)
kill $registry

# umoci
cp -r seed umoci
umoci tag --image umoci:v1 v2
umoci rm --image umoci:v1
umoci gc --layout umoci
tar cf "$out/umoci-layout.tar" -C umoci .
python3 -c 'import io, tarfile
t = tarfile.open("l.tar", "w"); i = tarfile.TarInfo("x"); i.size = 3; t.addfile(i, io.BytesIO(b"abc")); t.close()'
umoci init --layout new
umoci new --image new:v1
umoci raw add-layer --image new:v1 l.tar
tar cf "$out/umoci-new.tar" -C new .

# buildah
export BUILDAH_ISOLATION=chroot
echo '{"default":[{"type":"insecureAcceptAnything"}]}' > policy.json
with() { buildah --root "$top/containers" --runroot "$top/run" --storage-driver vfs "$@"; }
container=$(with from --signature-policy policy.json scratch)
with copy -q "$container" l.tar /l.tar
with commit -q --signature-policy policy.json "$container" app:v1
for form in docker-archive oci-archive; do with push -q --signature-policy policy.json app:v1 "$form:$out/buildah-$form.tar:app:v1"; done

# containerd
printf 'version = 2\nroot = "%s/cd"\nstate = "%s/cd-state"\n[grpc]\naddress = "%s/cd.sock"\n' "$top" "$top" "$top" > cd.toml
containerd -c cd.toml > cd.log 2>&1 &
containerd=$!
for _ in {1..10}; do [[ -S cd.sock ]] && break; sleep 1; done
images() { ctr -a "$top/cd.sock" images "$@"; }
images import --no-unpack --index-name docker.io/library/app:v1 "$out/skopeo-oci-archive.tar"
name=$(images ls -q | head -1)
images export "$out/containerd-export.tar" "$name"
images export --skip-manifest-json "$out/containerd-export-skip.tar" "$name"
images export --all-platforms "$out/containerd-export-all.tar" "$name"
kill $containerd

# Docker's daemon
dockerd --data-root "$top/docker" --exec-root "$top/docker-run" -H "unix://$top/docker.sock" -p "$top/docker.pid" --storage-driver vfs \
  --iptables=false --ip-masq=false --bridge=none > docker.log 2>&1 &
daemon=$!
at() { docker -H "unix://$top/docker.sock" "$@"; }
for _ in {1..20}; do at info > /dev/null 2>&1 && break; sleep 1; done
at load -i "$out/skopeo-docker-archive.tar"
at save -o "$out/docker-save.tar" app:v1
at save -o "$out/docker-save-id.tar" "$(at images -q --no-trunc | head -1)"
mkdir context
cp l.tar context/
printf 'FROM app:v1\nCOPY l.tar /more/\n' > context/Dockerfile
DOCKER_BUILDKIT=0 at build -q -t app:v2 context
at save -o "$out/docker-save-two.tar" app:v1 app:v2
at save -o "$out/docker-save-built.tar" app:v2
kill $daemon

# The same files, by what writes tar archives
mkdir S L P
tar xf "$out/docker-save.tar" -C S
tar xf "$out/skopeo-oci-archive.tar" -C L
for from in S:docker-save L:oci; do
  files=${from%%:*} name=${from#*:}
  for form in gnu oldgnu pax ustar v7; do tar -C $files --format=$form -cf "$out/gnutar-$name-$form.tar" .; done
  (cd $files && tar --format=gnu -cf "$out/gnutar-$name-names.tar" -- *)
  (cd $files && find . -type f -o -type l | sort -r | tar --no-recursion -T - -cf "$out/gnutar-$name-reversed.tar")
  tar -C $files -P --transform 's,^\./,/,' -cf "$out/gnutar-$name-absolute.tar" .
  tar -C $files -b 1 -cf "$out/gnutar-$name-unblocked.tar" .
  bsdtar -C $files -cf "$out/bsdtar-$name.tar" .
  for form in ustar gnutar pax; do bsdtar -C $files --format $form -cf "$out/bsdtar-$name-$form.tar" .; done
  python3 -c 'import sys, tarfile
for form, name in ((tarfile.USTAR_FORMAT, "ustar"), (tarfile.GNU_FORMAT, "gnu"), (tarfile.PAX_FORMAT, "pax")):
    with tarfile.open(sys.argv[1] + "-" + name + ".tar", "w", format=form) as t:
        t.add(sys.argv[2], arcname="")' "$out/python-$name" $files
done
# layers that are the same file
cp -a S H
(cd H && for l in */layer.tar; do if [[ -L $l ]]; then r=$(readlink -f "$l") && rm "$l" && ln "$r" "$l"; fi; done)
tar -C H --format=gnu -cf "$out/gnutar-docker-save-hardlinks.tar" .
bsdtar -C H -cf "$out/bsdtar-docker-save-hardlinks.tar" .
tar -C H --hard-dereference -cf "$out/gnutar-docker-save-dereferenced.tar" .
tar -C S -h -cf "$out/gnutar-docker-save-copies.tar" .
# files with holes
cp -r --sparse=always S/. P/
for l in P/*/layer.tar; do [[ -L $l ]] || fallocate -d "$l"; done
for form in gnu pax; do tar -C P --format=$form -S --hole-detection=raw -cf "$out/gnutar-docker-save-sparse-$form.tar" .; done
for version in 0.0 0.1 1.0; do
  tar -C P --format=pax -S --hole-detection=raw --sparse-version=$version -cf "$out/gnutar-docker-save-sparse-$version.tar" .
done
# a name that is there twice: the last counts
cp -r S U
echo '[]' > U/manifest.json
tar -C U -cf "$out/gnutar-docker-save-appended.tar" .
tar -C S -rf "$out/gnutar-docker-save-appended.tar" ./manifest.json
tar -C L --format=pax --pax-option=globexthdr.comment=x --pax-option=comment:=y --xattrs --mtime=2026-01-02T03:04:05.678 \
  -cf "$out/gnutar-oci-pax-records.tar" .
tar -C L --owner=nobody:3000000 --group=big:3000000 -cf "$out/gnutar-oci-large-ids.tar" .
# compressed
tar -C L -czf "$out/gnutar-oci.tar.gz" .
tar -C L -cjf "$out/gnutar-oci.tar.bz2" .
tar -C L -cJf "$out/gnutar-oci.tar.xz" .
tar -C L --zstd -cf "$out/gnutar-oci.tar.zst" .
XZ_OPT=-9e tar -C S -cJf "$out/gnutar-docker-save-9e.tar.xz" .
XZ_OPT="-9 -T2" tar -C S -cJf "$out/gnutar-docker-save-threads.tar.xz" .
ZSTD_CLEVEL=19 tar -C S --zstd -cf "$out/gnutar-docker-save-19.tar.zst" .

python3 - "$out" archives.zip <<'P'
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[2], "w") as z:
    for name in sorted(os.listdir(sys.argv[1])):
        info = zipfile.ZipInfo(name)
        info.external_attr, info.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
        with open(os.path.join(sys.argv[1], name), "rb") as f:
            z.writestr(info, f.read(), compresslevel=9)
P
echo "$top/archives.zip"
