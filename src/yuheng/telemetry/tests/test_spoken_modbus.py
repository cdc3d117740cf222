"""What the Modbus connector says has words in the reader's language."""

import pytest

from yuheng.connectors.modbus.addresses import AddressRefused, parse
from yuheng.connectors.modbus.link import _EXCEPTIONS
from yuheng.connectors.modbus.register_map import read_map
from yuheng.telemetry.spoken import in_readers_words, is_known
from yuheng.telemetry.spoken_modbus import MODBUS


@pytest.mark.parametrize("sentence", [sentence for _kind, sentence in _EXCEPTIONS.values()])
def test_every_exception_is_known(sentence):
    assert is_known(sentence)


@pytest.mark.parametrize("address", ["x", "256:holding:1", "1:holding:70000", "1:holding:1:bool", "1:holding:1:real"])
def test_what_is_wrong_with_an_address_is_known(address):
    with pytest.raises(AddressRefused) as refused:
        parse(address)
    assert is_known(str(refused.value))


def test_what_is_wrong_with_a_line_of_a_map_is_known():
    text = (
        "unit_id,table,address,data_type,order,scale\n1,holding,,int16,,\n1,,1,int16,,\n1,holding,40101,int16,,\n"
        "1,banana,1,int16,,\n1,holding,x,int16,,\n1,holding,1,string,,\n1,holding,1,int16,,0\n1,holding,1,int16,,x\n"
    )
    for line in read_map(text):
        assert is_known(line.problem), line.problem


def test_a_reason_inside_a_sentence_is_translated_too(monkeypatch):
    monkeypatch.setattr("yuheng.kernel.spoken.gettext", lambda text: text.replace("illegal data address", "ILLEGAL"))
    sentence = "1 of 50 addresses have no value: 1:holding:23: illegal data address (exception 2)."
    assert "ILLEGAL (exception 2)" in in_readers_words(sentence)
    assert len(set(MODBUS)) == len(MODBUS)
