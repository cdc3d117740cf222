"""What the elevator plant buys: sheet, profiles, drives, electrics, fasteners. One material is one row: a table."""

from __future__ import annotations

from yuheng.simulation.products import LOT, SERIAL, Bought

SHEETS = (
    Bought("S-Q235-3", "热轧钢板 Q235 3 mm", "Hot-rolled sheet Q235 3 mm", "kg", LOT, pack=2000),
    Bought("S-Q235-8", "热轧钢板 Q235 8 mm", "Hot-rolled plate Q235 8 mm", "kg", LOT, pack=3000),
    Bought("S-Q345-10", "低合金钢板 Q345 10 mm", "Low-alloy plate Q345 10 mm", "kg", LOT, pack=3000),
    Bought("S-SPCC-1.5", "冷轧钢板 SPCC 1.5 mm", "Cold-rolled sheet SPCC 1.5 mm", "kg", LOT, pack=2000),
    Bought(
        "S-304-1.2",
        "不锈钢板 304 1.2 mm 发纹",
        "Stainless sheet 304 1.2 mm, hairline",
        "kg",
        LOT,
        is_scarce=True,
        pack=600,
    ),
    Bought("S-304-1.2M", "不锈钢板 304 1.2 mm 镜面", "Stainless sheet 304 1.2 mm, mirror", "kg", LOT, pack=500),
    Bought("S-GALV-2", "镀锌钢板 2 mm", "Galvanised sheet 2 mm", "kg", LOT, pack=1500),
)

STOCK = (
    Bought("P-L100", "角钢 L100×100×10", "Angle L100×100×10", "m", LOT, pack=120),
    Bought("P-RHS120", "方管 120×80×6", "Rectangular tube 120×80×6", "m", LOT, pack=120),
    Bought("P-U160", "槽钢 160", "Channel U160", "m", LOT, pack=96),
    Bought("R-42CR-90", "圆钢 42CrMo Ø90", "Round bar 42CrMo Ø90", "m", LOT, pack=30),
    Bought("R-45-60", "圆钢 45 Ø60", "Round bar C45 Ø60", "m", LOT, pack=36),
    Bought("C-QT600", "球铁毛坯 QT600-3", "Ductile iron casting QT600-3", tracking=LOT, pack=24),
    Bought("C-ADC12", "铝压铸梯级毛坯 ADC12", "Die-cast step blank ADC12", tracking=LOT, is_scarce=True, pack=160),
    Bought("C-COMB", "梳齿板型材", "Comb plate extrusion", tracking=LOT, pack=60),
    Bought("W-ER50-1.2", "焊丝 ER50-6 Ø1.2", "Welding wire ER50-6 Ø1.2", "kg", LOT, life_days=365, pack=250),
    Bought("Q-POWDER-7016", "聚酯粉末 RAL 7016", "Polyester powder RAL 7016", "kg", LOT, life_days=180, pack=100),
    Bought("Q-POWDER-9006", "聚酯粉末 RAL 9006", "Polyester powder RAL 9006", "kg", LOT, life_days=180, pack=100),
)

DRIVES = (
    Bought("D-GEAR-11", "立式减速机 11 kW", "Vertical gearbox 11 kW", tracking=SERIAL, is_scarce=True, pack=2),
    Bought("D-MOTOR-11", "三相电机 11 kW IE4", "Motor 11 kW IE4", tracking=SERIAL, pack=4),
    Bought(
        "D-PM-1.75", "永磁同步曳引机 1.75 m/s", "Gearless machine 1.75 m/s", tracking=SERIAL, is_scarce=True, pack=3
    ),
    Bought("D-BRAKE-ESC", "扶梯工作制动器", "Service brake, escalator", tracking=SERIAL, pack=6),
    Bought("D-BRAKE-AUX", "附加制动器", "Auxiliary brake", tracking=SERIAL, pack=4),
    Bought("D-GOV", "限速器", "Overspeed governor", tracking=SERIAL, pack=6),
    Bought("D-SAFETY", "安全钳(对)", "Safety gear, pair", tracking=SERIAL, pack=6),
    Bought("D-BUFFER", "液压缓冲器", "Oil buffer", tracking=SERIAL, pack=8),
    Bought("D-CHAIN-20A", "双排滚子链 20A", "Duplex roller chain 20A", "m", LOT, pack=60),
    Bought("D-STEPCHAIN", "梯级链 节距 133.33", "Step chain, pitch 133.33", "m", LOT, pack=240),
    Bought("D-BRG-6218", "深沟球轴承 6218", "Ball bearing 6218", pack=20),
    Bought("D-BRG-22220", "调心滚子轴承 22220", "Spherical roller bearing 22220", pack=12),
    Bought("D-BRG-6205", "深沟球轴承 6205-2RS", "Ball bearing 6205-2RS", pack=100),
    Bought("D-OIL-220", "齿轮油 CLP 220", "Gear oil CLP 220", "L", LOT, life_days=720, pack=200),
    Bought("D-GREASE", "锂基润滑脂", "Lithium grease", "kg", LOT, life_days=720, pack=50),
    Bought("D-SEAL-90", "骨架油封 Ø90", "Shaft seal Ø90", pack=40),
    Bought("D-KEY-20", "平键 20×12×100", "Parallel key 20×12×100", pack=60),
    Bought("D-ROPE-10", "曳引钢丝绳 Ø10", "Traction rope Ø10", "m", LOT, pack=800),
    Bought("D-GUIDE-T89", "T89/B 导轨 5 m", "Guide rail T89/B, 5 m", pack=40),
    Bought("D-CWBLOCK", "对重块 铸铁 25 kg", "Counterweight block, 25 kg", pack=120),
    Bought("D-DOOR-OP", "变频门机", "Door operator, inverter", tracking=SERIAL, is_scarce=True, pack=4),
    Bought("D-DOOR-LOCK", "层门门锁", "Landing door lock", pack=40),
    Bought("D-DOOR-HANGER", "门挂板滚轮组", "Door hanger with rollers", pack=60),
)

ESCALATOR_PARTS = (
    Bought("E-ROLLER-75", "梯级滚轮 Ø75", "Step roller Ø75", tracking=LOT, pack=400),
    Bought("E-INSERT-Y", "黄色边条", "Yellow demarcation insert", pack=400),
    Bought("E-HANDRAIL-BK", "扶手带 黑", "Handrail belt, black", "m", LOT, life_days=900, is_scarce=True, pack=60),
    Bought("E-HR-GUIDE", "扶手导轨", "Handrail guide", "m", pack=120),
    Bought("E-GLASS-10", "钢化玻璃护壁板 10 mm", "Tempered glass panel 10 mm", pack=24),
    Bought("E-COMBPLATE-SEG", "梳齿片 PC", "Comb segment", pack=80),
    Bought("E-FLOORPLATE", "不锈钢盖板 防滑", "Floor plate, anti-slip", pack=12),
    Bought("E-TRACK-R", "转向壁导轨", "Turn-around track", pack=16),
    Bought("E-TRACK-S", "直线导轨 3 m", "Straight track 3 m", pack=40),
    Bought("E-BRUSH", "围裙板毛刷", "Skirt brush", "m", pack=120),
    Bought("E-LED-SKIRT", "围裙板 LED 灯带", "Skirt LED strip", "m", pack=100),
    Bought("E-DRIPTRAY", "接油盘", "Drip tray", pack=20),
    Bought("E-TENSION-SPRING", "张紧弹簧", "Tension spring", pack=24),
    Bought("E-FRICTION-WHEEL", "扶手驱动摩擦轮", "Handrail friction wheel", tracking=LOT, pack=12),
    Bought("E-PRESS-ROLLER", "压带轮组", "Pressure roller set", pack=16),
    Bought("E-DECK-IN", "内盖板", "Inner deck", pack=40),
    Bought("E-DECK-OUT", "外盖板", "Outer deck", pack=40),
    Bought("E-BALU-CLAMP", "玻璃夹紧座", "Glass clamp", pack=40),
    Bought("E-BALU-GASKET", "玻璃胶条", "Glass gasket", pack=40),
    Bought("E-HR-CURVE", "扶手转向弧段", "Handrail newel curve", pack=40),
    Bought("E-HR-ROLLER", "扶手转向滚轮列", "Handrail roller row", pack=40),
    Bought("E-UPTHRUST", "防上跳导轨", "Up-thrust guide", pack=40),
    Bought("E-TRACK-JOINT", "导轨接头板", "Track joint plate", pack=40),
    Bought("E-COVER-UP", "上端部盖板", "Upper end cover", pack=40),
    Bought("E-COVER-LOW", "下端部盖板", "Lower end cover", pack=40),
    Bought("E-SKIRT-ANGLE", "围裙板角件", "Skirt angle", pack=40),
    Bought("E-LUBE-UNIT", "自动加油器", "Lubrication unit", pack=40),
    Bought("E-LUBE-BRUSH", "加油毛刷", "Lubrication brush", pack=40),
    Bought("E-LUBE-TUBE", "油管接头组", "Oil tube set", pack=40),
    Bought("E-EARTH-BRUSH", "静电刷", "Earthing brush", pack=40),
    Bought("E-RETURN-GUARD", "回程防护网", "Return guard", pack=40),
    Bought("E-INLET-BOX", "扶手入口罩", "Handrail inlet box", pack=40),
    Bought("E-SUPPORT-ANGLE", "支撑角钢", "Support angle", pack=40),
    Bought("E-SHIM", "调整垫片组", "Shim set", pack=40),
    Bought("E-RUBBER-PAD", "减振垫", "Vibration pad", pack=40),
    Bought("E-WARN-SIGN", "乘梯须知标牌", "Safety notice", pack=40),
    Bought("E-LAMP-STEP", "梯级间隙灯", "Step gap lamp", pack=40),
    Bought("E-DRAIN", "排水接头", "Drain fitting", pack=40),
    Bought("E-CABLE-TRAY", "桁架走线槽", "Truss cable tray", pack=40),
)

ELECTRICS = (
    Bought("X-PLC-ESC", "扶梯主控板", "Escalator main board", tracking=SERIAL, is_scarce=True, pack=4),
    Bought("X-PLC-EL", "电梯主控板", "Elevator main board", tracking=SERIAL, pack=5),
    Bought("X-INV-11", "变频器 11 kW", "Frequency inverter 11 kW", tracking=SERIAL, is_scarce=True, pack=4),
    Bought("X-SAFETY-PCB", "安全监控板 PESSRAL", "Safety board PESSRAL", tracking=SERIAL, pack=5),
    Bought("X-BREAKER-3P", "断路器 3P 32 A", "Circuit breaker 3P 32 A", pack=30),
    Bought("X-CONTACTOR", "接触器 AC3 25 A", "Contactor AC3 25 A", pack=40),
    Bought("X-PHASE", "相序保护继电器", "Phase-sequence relay", pack=20),
    Bought("X-PSU-24", "开关电源 24 V 10 A", "Power supply 24 V 10 A", pack=20),
    Bought("X-TERMINAL", "接线端子 UK5", "Terminal block UK5", pack=1000),
    Bought("X-DUCT", "线槽 60×40", "Wiring duct 60×40", "m", pack=100),
    Bought("X-CABLE-4G6", "动力电缆 4G6", "Power cable 4G6", "m", pack=300),
    Bought("X-CABLE-CTRL", "控制电缆 24×0.75", "Control cable 24×0.75", "m", pack=500),
    Bought("X-CABLE-TRAVEL", "随行电缆", "Travelling cable", "m", LOT, pack=300),
    Bought("X-SWITCH-COMB", "梳齿异物开关", "Comb safety switch", pack=20),
    Bought("X-SWITCH-HR", "扶手入口开关", "Handrail inlet switch", pack=20),
    Bought("X-SWITCH-STEP", "梯级下陷开关", "Step sag switch", pack=20),
    Bought("X-SWITCH-CHAIN", "断链开关", "Broken-chain switch", pack=20),
    Bought("X-SENSOR-STEP", "梯级缺失传感器", "Missing-step sensor", pack=12),
    Bought("X-SENSOR-SPEED", "速度传感器", "Speed sensor", pack=20),
    Bought("X-RADAR", "乘客感应雷达", "Passenger radar", pack=12),
    Bought("X-ESTOP", "急停按钮盒", "Emergency stop box", pack=20),
    Bought("X-KEYSWITCH", "钥匙开关", "Key switch", pack=20),
    Bought("X-BUZZER", "蜂鸣器", "Buzzer", pack=20),
    Bought("X-TRAFFIC-LED", "运行方向指示灯", "Direction indicator", pack=12),
    Bought("X-COP", "轿厢操纵盘", "Car operating panel", tracking=SERIAL, pack=6),
    Bought("X-LOP", "层站召唤盒", "Landing call panel", pack=40),
    Bought("X-ENCODER", "旋转编码器", "Rotary encoder", tracking=LOT, pack=12),
    Bought("X-LIGHTCURTAIN", "光幕", "Light curtain", pack=12),
    Bought("X-LOADCELL", "称重装置", "Load weighing device", pack=12),
    Bought("X-FAN", "轿厢风机", "Car fan", pack=12),
    Bought("X-LED-CAR", "轿厢照明 LED", "Car lighting LED", pack=24),
    Bought("X-ARD", "停电应急装置", "Automatic rescue device", tracking=SERIAL, pack=4),
    Bought("X-INTERCOM", "五方对讲", "Intercom", pack=12),
)

HARDWARE = (
    *(
        Bought(f"F-M{size}-B", f"六角头螺栓 M{size}", f"Hexagon bolt M{size}", pack=1000)
        for size in (6, 8, 10, 12, 16, 20, 24)
    ),
    *(
        Bought(f"F-M{size}-N", f"六角螺母 M{size}", f"Hexagon nut M{size}", pack=1000)
        for size in (6, 8, 10, 12, 16, 20, 24)
    ),
    *(
        Bought(f"F-M{size}-W", f"平垫圈 {size}", f"Plain washer {size}", pack=1000)
        for size in (6, 8, 10, 12, 16, 20, 24)
    ),
    *(Bought(f"F-M{size}-S", f"弹簧垫圈 {size}", f"Spring washer {size}", pack=1000) for size in (6, 8, 10, 12, 16)),
    Bought("F-ST4.8", "自攻螺钉 ST4.8×19", "Tapping screw ST4.8×19", pack=1000),
    Bought("F-PIN-10", "圆柱销 10×50", "Dowel pin 10×50", pack=500),
    Bought("F-CIRCLIP-60", "轴用挡圈 60", "Circlip 60", pack=200),
    Bought("F-ANCHOR-M16", "膨胀螺栓 M16", "Anchor bolt M16", pack=200),
    Bought("F-GLAND-M25", "电缆接头 M25", "Cable gland M25", pack=200),
    Bought("F-LUG", "接线鼻", "Cable lug", pack=1000),
    Bought("F-TIE", "扎带", "Cable tie", pack=2000),
    Bought("F-LABEL", "标识贴", "Marking label", pack=1000),
)

PACKING = (
    Bought("V-CRATE-L", "木包装箱 大", "Wooden crate, large", pack=6),
    Bought("V-CRATE-S", "木包装箱 小", "Wooden crate, small", pack=12),
    Bought("V-FILM", "防潮膜", "Moisture barrier film", "m2", pack=500),
    Bought("V-STRAP", "钢带", "Steel strapping", "m", pack=500),
    Bought("V-DESICCANT", "干燥剂", "Desiccant", pack=500),
    Bought("V-MANUAL", "随机文件", "Documents set", pack=50),
    Bought("V-NAMEPLATE", "产品铭牌", "Name plate", pack=100),
)

BOUGHT: tuple[Bought, ...] = (*SHEETS, *STOCK, *DRIVES, *ESCALATOR_PARTS, *ELECTRICS, *HARDWARE, *PACKING)
