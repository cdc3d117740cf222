"""What the Modbus connector says: of addresses, of register maps, of devices. English there; here each is a msgid."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

MODBUS = (
    # reasons
    _("illegal function (exception 1)"),
    _("illegal data address (exception 2)"),
    _("illegal data value (exception 3)"),
    _("device failure (exception 4)"),
    _("acknowledged, not done yet (exception 5)"),
    _("device busy (exception 6)"),
    _("not acknowledged (exception 7)"),
    _("memory parity error (exception 8)"),
    _("gateway has no path to the unit (exception 10)"),
    _("the unit behind the gateway does not answer (exception 11)"),
    _("no answer within %(seconds)s s"),
    _("unit %(unit)s: %(why)s"),
    _("the device gives no number (NaN or infinity)"),
    _("The device closes the connection instead of answering."),
    # health
    _("%(count)s addresses of %(where)s in %(requests)s requests."),
    _("%(count)s of %(total)s addresses have no value: %(address)s: %(why)s."),
    _("Connected to %(where)s. No tag has an address yet."),
    _("%(where)s cannot be reached: %(why)s."),
    _("%(where)s does not answer within %(seconds)s s."),
    _("%(where)s closed the connection."),
    # gaps
    _("The gateway did not ask: it was not running, or the source was off."),
    _("The log could not take values; the device was not asked meanwhile."),
    _("The device answers too slowly for this rhythm."),
    # addresses and register maps
    _("'%(text)s' is no Modbus address: write unit:table:register, such as 1:holding:100:float32."),
    _("'%(text)s' is no unit identifier: they are 0 to 255."),
    _("A table has the registers 0 to 65535; %(register)s is none of them."),
    _("An address of the table %(table)s is one bit: it has no type, bit or order."),
    _("A bool of a register names its bit: 1:holding:40.3."),
    _("'%(text)s' is no type: use %(known)s."),
    _("'%(text)s' is no order of bytes: use abcd, cdab, badc or dcba."),
    _("The first line must name the columns, among them 'address' (or 'register', '地址')."),
    _("Two columns mean the same: %(names)s."),
    _("%(address)s stands in line %(line)s already."),
    _("The line has no address."),
    _("The line says no table: coil, discrete, input or holding."),
    _("%(text)s could be the number on the wire or Modicon's. Say how the file counts registers."),
    _("The file counts from 1, but this line has register 0."),
    _("%(text)s is in the table %(table)s, but the line says %(other)s."),
    _("'%(text)s' is no register: write 100, 0x64, or 100.3 for a bit."),
    _("'%(text)s' is no table: write coil, discrete, input or holding, or the function 1 to 4."),
    _("A string needs its length in bytes: a column 'length', or the type string20."),
    _("The scale is 0: every value would be the same."),
    _("A value that is %(kind)s has no scale and no offset."),
    _("'%(text)s' in the column %(column)s is not a number."),
)
