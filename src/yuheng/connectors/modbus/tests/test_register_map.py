"""Register maps of manufacturers, as they really look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yuheng.connectors.modbus.addresses import parse
from yuheng.connectors.modbus.register_map import RegisterMaps, read_map


def addresses(text, numbering=""):
    lines = read_map(text, numbering)
    assert not [line.problem for line in lines if line.problem]
    return [line.address for line in lines]


def problems(text, numbering=""):
    return {line.line: line.problem for line in read_map(text, numbering) if line.problem}


def test_the_table_of_the_documentation():
    text = (
        "unit_id,table,address,data_type,order,name_zh,name_en,unit\n"
        "1,holding,100,float32,cdab,炉温,Oven temperature,Cel\n"
        "1,holding,40.3,bool,,电机运行,Motor runs,\n"
    )
    assert addresses(text) == ["1:holding:100:float32:cdab", "1:holding:40.3"]
    oven, motor = read_map(text)
    assert oven.values == {"name_zh": "炉温", "name_en": "Oven temperature", "unit": "Cel", "data_type": "float"}
    assert motor.values["data_type"] == "bool"


def test_a_chinese_manufacturers_table():
    text = (
        "从站号;功能码;寄存器地址;数据类型;字节序;倍率;单位;名称;采集周期(s)\n"
        "１;03;0x0064;浮点数;CDAB;;℃;一区温度;5\n"
        "1;保持寄存器;10;整数;;0.1;kPa;压力;\n"
        "2;线圈;5;开关量;;;;风机;\n"
        "2;04;64H;dint;大端;;;计数;\n"
    )
    assert addresses(text) == [
        "1:holding:100:float32:cdab",
        "1:holding:10:int16",
        "2:coil:5",
        "2:input:100:int32",
    ]
    oven, pressure, fan, count = read_map(text)
    assert oven.values["every_s"] == "5"
    assert pressure.values["data_type"] == "float"
    assert fan.values["data_type"] == "bool"
    assert count.values["data_type"] == "int"


def test_how_a_file_counts_is_asked_and_never_guessed():
    text = "table,address,type\nholding,40101,float32\n"
    assert "on the wire or Modicon's" in problems(text)[2]
    assert addresses(text, "wire") == ["1:holding:40101:float32"]
    assert addresses(text, "one") == ["1:holding:40100:float32"]
    assert addresses(text, "modicon") == ["1:holding:100:float32"]


def test_modicons_numbers_need_no_table():
    text = "address,type\n40101,real\n30001.2,bit\n400102,word\n00001,bool\n"
    assert addresses(text) == ["1:holding:100:float32", "1:input:0.2", "1:holding:101:uint16", "1:coil:0"]


@pytest.mark.parametrize(
    ("line", "numbering", "says"),
    [
        ("1,holding,,uint16,,", "", "no address"),
        ("1,holding,ten,uint16,,", "", "is no register"),
        ("1,,10,uint16,,", "", "says no table"),
        ("1,banana,10,uint16,,", "", "is no table"),
        ("300,holding,10,uint16,,", "", "no unit identifier"),
        ("1,holding,70000,uint16,,", "wire", "0 to 65535"),
        ("1,holding,0,uint16,,", "one", "has register 0"),
        ("1,coil,40001,bool,,", "modicon", "but the line says coil"),
        ("1,holding,10,complex,,", "", "is no type"),
        ("1,holding,10,string,,", "", "needs its length"),
        ("1,holding,10,float32,,x", "", "is not a number"),
        ("1,holding,10,float32,,0", "", "scale is 0"),
        ("1,holding,10.3,bool,,2", "", "no scale"),
        ("1,holding,10,bool,,", "", "names its bit"),
        ("1,holding,10,float32,abdc,", "", "no order"),
    ],
)
def test_a_line_that_cannot_be_read_says_why_and_the_others_stand(line, numbering, says):
    good = "1,40001,1,uint16,," if numbering == "modicon" else "1,holding,1,uint16,,"
    good = "1,,40002,uint16,," if numbering == "modicon" else good
    text = f"unit_id,table,address,data_type,order,scale\n{line}\n{good}\n"
    found = problems(text, numbering)
    assert list(found) == [2]
    assert says in found[2]


def test_the_same_register_twice_is_refused_the_second_time():
    text = "table,address,type\nholding,1,int16\n\nholding,1.0,int16\nholding,1,int16\n"
    found = problems(text)
    assert "line 2 already" in found[5]


def test_a_file_without_addresses_is_refused_whole():
    with pytest.raises(ValueError, match="must name the columns"):
        read_map("name,value\nx,1\n")
    with pytest.raises(ValueError, match="must name the columns"):
        read_map("")
    with pytest.raises(ValueError, match="mean the same"):
        read_map("address,register\n1,2\n")


@given(st.text(max_size=300), st.sampled_from(["", "wire", "one", "modicon"]))
def test_any_text_below_a_header_is_lines_or_sentences(text, numbering):
    lines = None
    try:
        lines = read_map("unit_id,table,address,data_type,order,scale,offset,every_s\n" + text, numbering)
    except ValueError as refusal:
        assert str(refusal)  # noqa: PT017 - any sentence will do
    for line in lines or ():
        assert line.problem or str(parse(line.address)) == line.address


def test_rhythms_go_to_the_settings_and_come_back():
    maps = RegisterMaps()
    wanted = {"1:holding:0": 1.0, "1:holding:1": 10.0, "1:holding:2": 10.0, "2:coil:0": 60.0}
    settings = maps.with_rhythms({"host": "plc", "every_s": 1}, wanted)
    assert settings["rates"] == [
        {"every_s": 10.0, "addresses": ["1:holding:1-2"]},
        {"every_s": 60.0, "addresses": ["2:coil:0"]},
    ]
    assert maps.rhythms(settings, [*wanted, "nonsense"]) == wanted
    assert maps.with_rhythms(settings, dict.fromkeys(wanted, 1.0)) == {"host": "plc", "every_s": 1}
