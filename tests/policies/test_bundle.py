"""A bundle is served exactly as its maker signed it, or not at all."""

import hashlib
import json
from pathlib import Path

import onnx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from controller.policies import bundle as bundles
from controller.policies.bundle import load_bundle, write_bundle
from controller.policies.manifest import BundleError, write_manifest
from controller.policies.trust import TrustStore, read_or_make_key, write_public
from tests.policies.graphs import INPUTS, Workshop, linear, manifest, save


def refused(folder: Path, trust: TrustStore) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(folder, trust)
    return str(caught.value)


def test_what_was_written_is_what_is_loaded(workshop: Workshop) -> None:
    policy = save(linear())
    bundle = load_bundle(workshop.write(policy), workshop.trust)
    assert bundle.policy == policy
    assert bundle.manifest == manifest(policy)
    assert bundle.scorecard == {"note": "a test"}
    assert bundle.signer == "workshop"


def test_digest_is_equal_only_for_equal_bytes(workshop: Workshop) -> None:
    first = workshop.bundle().digest
    assert workshop.bundle().digest == first
    assert workshop.bundle(name="other").digest != first


@settings(max_examples=25, derandomize=True)
@given(data=st.data())
def test_no_byte_of_a_signed_file_can_be_changed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    workshop = Workshop(tmp_path_factory.mktemp("shop"))
    folder = workshop.write()
    path = folder / data.draw(st.sampled_from(["policy.onnx", "manifest.json", "scorecard.json"]))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content))
    assert str(folder) in refused(folder, workshop.trust)


def test_a_changed_weight_is_named_as_such(workshop: Workshop) -> None:
    folder = workshop.write()
    content = bytearray((folder / "policy.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "policy.onnx").write_bytes(bytes(content))
    assert "the weights were changed" in refused(folder, workshop.trust)


def test_weights_and_manifest_changed_together_break_the_signature(workshop: Workshop) -> None:
    folder = workshop.write()
    policy = save(linear(seed=9))
    (folder / "policy.onnx").write_bytes(policy)
    (folder / "manifest.json").write_bytes(write_manifest(manifest(policy)))
    assert "was changed after `workshop` signed it" in refused(folder, workshop.trust)


def test_an_unsigned_bundle_is_refused(workshop: Workshop) -> None:
    folder = workshop.write()
    (folder / "signature").unlink()
    assert "is not signed" in refused(folder, workshop.trust)


def test_malformed_signature_is_refused(workshop: Workshop) -> None:
    folder = workshop.write()
    for text in ("", "trust me", "ed25519 0123 not-base64!"):
        (folder / "signature").write_text(text)
        assert "sign it again" in refused(folder, workshop.trust)


def test_an_unknown_signer_is_refused(workshop: Workshop) -> None:
    policy = save(linear())
    folder = workshop.folder / "strange"
    write_bundle(folder, manifest(policy), policy, {}, Ed25519PrivateKey.generate())
    assert "signed by unknown key" in refused(folder, workshop.trust)


def test_a_missing_trust_store_is_one_clear_error(workshop: Workshop) -> None:
    with pytest.raises(BundleError, match="does not exist: create it"):
        TrustStore.load(workshop.folder / "nowhere")


def test_malformed_public_key_is_one_clear_error(workshop: Workshop) -> None:
    (workshop.trusted / "bad.pub").write_text("ssh-rsa AAAA")
    with pytest.raises(BundleError, match="copy it again from its maker"):
        TrustStore.load(workshop.trusted)


def test_an_unknown_manifest_key_is_refused(workshop: Workshop) -> None:
    folder = workshop.write()
    content = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps(content | {"recurrent": True}))
    assert "`recurrent`: unknown key" in refused(folder, workshop.trust)


@pytest.mark.parametrize("name", ["policy.onnx", "manifest.json", "scorecard.json"])
def test_a_missing_file_is_named(workshop: Workshop, name: str) -> None:
    folder = workshop.write()
    (folder / name).unlink()
    assert f"has no `{name}`" in refused(folder, workshop.trust)


def test_a_file_too_many_is_named(workshop: Workshop) -> None:
    folder = workshop.write()
    (folder / "weights.bin").write_bytes(b"")
    assert "holds `weights.bin`" in refused(folder, workshop.trust)


def test_a_missing_folder_is_named(workshop: Workshop) -> None:
    assert "is not a folder" in refused(workshop.folder / "none", workshop.trust)


def test_a_manifest_that_is_not_json_is_refused(workshop: Workshop) -> None:
    folder = workshop.write()
    (folder / "manifest.json").write_bytes(b"\xff\x00")
    assert "is not JSON" in refused(folder, workshop.trust)


@pytest.mark.parametrize(("inputs", "outputs", "what"), [(4, 2, "input"), (3, 1, "output")])
def test_shapes_must_be_as_the_manifest_says(workshop: Workshop, inputs: int, outputs: int, what: str) -> None:
    with pytest.raises(BundleError, match=f"the graph's {what} has shape"):
        workshop.write(save(linear(inputs, outputs)))


def test_history_widens_the_input(workshop: Workshop) -> None:
    assert workshop.bundle(save(linear(9)), history=3).manifest.input_width == 9


def test_a_custom_operator_is_refused(workshop: Workshop) -> None:
    model = linear()
    model.graph.node[1].domain = "com.example"
    with pytest.raises(BundleError, match=r"custom domain `com\.example`"):
        workshop.write(save(model))


@pytest.mark.parametrize("operator", ["LSTM", "Loop", "RandomNormalLike"])
def test_an_operator_with_state_or_chance_is_refused(workshop: Workshop, operator: str) -> None:
    model = linear()
    model.graph.node[1].op_type = operator
    with pytest.raises(BundleError, match=f"operator `{operator}` is not on the list"):
        workshop.write(save(model))


def test_weights_outside_the_file_are_refused(workshop: Workshop) -> None:
    model = linear()
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../etc/passwd")
    with pytest.raises(BundleError, match="weights lie outside the file"):
        workshop.write(save(model))


def test_a_second_input_is_refused_as_a_recurrent_state(workshop: Workshop) -> None:
    model = linear()
    model.graph.input.append(helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, 8]))
    with pytest.raises(BundleError, match="a recurrent state cannot be served"):
        workshop.write(save(model))


def test_a_graph_of_another_type_is_refused(workshop: Workshop) -> None:
    model = linear()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    with pytest.raises(BundleError, match="is not a float32 tensor"):
        workshop.write(save(model))


def test_functions_of_its_own_are_refused(workshop: Workshop) -> None:
    model = linear()
    model.functions.append(
        helper.make_function("own", "Mine", ["a"], ["b"], [], [helper.make_opsetid("", 17)])  # never called
    )
    with pytest.raises(BundleError, match="functions of its own"):
        workshop.write(save(model))


@settings(max_examples=200, derandomize=True)
@given(junk=st.binary(max_size=200))
def test_junk_is_refused_as_a_graph_without_any_other_error(junk: bytes) -> None:
    with pytest.raises(BundleError):
        bundles._check_shapes(Path("b"), manifest(junk), junk)


def test_the_reader_agrees_with_onnx_on_shapes() -> None:
    from controller.policies.graph import inspect

    model = linear(5, 4)
    onnx.checker.check_model(model)
    graph = inspect(save(model))
    assert (graph.input_shape, graph.output_shape) == ((None, 5), (None, 4))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": (*INPUTS, INPUTS[0])}, "an input is given twice"),
        ({"history": 0}, "history"),
        ({"name": "../up"}, "name"),
        ({"inputs": ()}, "inputs"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        manifest(b"", **changes)


def test_a_made_key_is_private_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.pem"
    key = read_or_make_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_or_make_key(path).private_bytes_raw() == key.private_bytes_raw()
    assert (path.parent / "signing.pub").exists()


def test_trusting_a_key_is_copying_its_public_half(workshop: Workshop) -> None:
    policy = save(linear())
    key = Ed25519PrivateKey.generate()
    folder = workshop.folder / "theirs"
    write_bundle(folder, manifest(policy), policy, {}, key)
    write_public(workshop.trusted / "friend.pub", key.public_key())
    assert load_bundle(folder, workshop.trust).signer == "friend"


def test_the_weights_digest_is_plain_sha256(workshop: Workshop) -> None:
    bundle = workshop.bundle()
    assert hashlib.sha256(bundle.policy).hexdigest() == bundle.manifest.weights_sha256
